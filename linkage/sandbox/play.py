"""Play the programme in the sandbox: deliveries, DAG runs and approvals, day by simulated day, in real Airflow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from linkage import clock, policy, settings
from linkage.custody.vault import Vault
from linkage.policy.schema import DEPARTMENTS
from linkage.sandbox import partners, quality
from linkage.sandbox.airflow_api import Airflow
from linkage.sandbox.journal import Journal
from linkage.sandbox.partner_files import partner_deliveries
from linkage.sandbox.population import Population, make_population
from linkage.sandbox.registers import Register, department_registers

REGISTER_SIZE = 8_000
DELIVERY_DAY, MONTH_DAY = date(2022, 10, 3), date(2022, 10, 31)
LAST_DAY, CLOSED_DAY = date(2022, 11, 30), date(2022, 12, 1)
DAGS = (
    "partner_deliveries",
    "early_help_families",
    "evaluation_submission",
    "evaluation_exchange",
    *(f"department_match_{name}" for name in DEPARTMENTS),
    "research_linkage",
    "results_release",
    "exchange_receipts",
    "retention_sweep",
    "subject_rights",
)
PATIENCE = 600  # seconds a run may take before the sandbox gives up on it

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Stage:
    """What the stages share: who talks to Airflow, what has been done, and whom to tell."""

    engineer: Airflow
    approvers: tuple[Airflow, ...]
    journal: Journal
    tell: Tell

    def run(self, dag_id: str, day: date) -> None:
        """Start one DAG for a day and wait for its end."""
        self.run_all([dag_id], day)

    def run_all(self, dag_ids: Iterable[str], day: date) -> None:
        """Start several DAGs for a day, side by side, and wait for all of them."""
        names = list(dag_ids)
        with self.journal.stage(f"{day} {names[0] if len(names) == 1 else names[0].rsplit('_', 1)[0]}") as to_do:
            if to_do:
                runs = {name: self.engineer.trigger(name, day) for name in names}
                for name, run_id in runs.items():
                    self.engineer.wait(name, day, PATIENCE, self.tell, run_id)

    def follow(self, dag_id: str, day: date) -> None:
        """Wait for a run that an asset event starts by itself."""
        with self.journal.stage(f"{day} {dag_id}") as to_do:
            if to_do:
                for run in self.engineer.runs(dag_id, day)[-1:]:
                    self.engineer.revive(dag_id, run)
                self.engineer.wait(dag_id, day, PATIENCE, self.tell)

    def approve(self, dag_id: str, day: date) -> None:
        """Answer the run's approvals as the people they are assigned to, and wait for its end."""
        with self.journal.stage(f"{day} {dag_id}") as to_do:
            if not to_do:
                return

            def watch(line: str) -> None:
                self.tell(line)
                for run in self.engineer.runs(dag_id, day)[-1:]:
                    for approver in self.approvers:
                        for question in approver.questions(dag_id, str(run["dag_run_id"])):
                            approver.answer(question, "Approve")

            for run in self.engineer.runs(dag_id, day)[-1:]:
                self.engineer.revive(dag_id, run)
            self.engineer.wait(dag_id, day, PATIENCE, watch)


def play(stage: Stage) -> None:
    """Play every simulated day, or with the real clock today alone; whatever is done already is passed over."""
    for dag_id in DAGS:
        stage.engineer.unpause(dag_id)
    if clock.is_simulated():
        _play_programme(stage)
    else:
        _play_today(stage)


def _play_programme(stage: Stage) -> None:
    conf = settings.load()
    _set_clock(stage, DELIVERY_DAY, 4, 30)
    _play_day(stage, make_population(conf.sandbox_seed, conf.sandbox_families, DELIVERY_DAY), DELIVERY_DAY)
    for day in (MONTH_DAY, LAST_DAY):
        _set_clock(stage, day, 3, 30)
        stage.run("retention_sweep", day)
    _set_clock(stage, CLOSED_DAY, 4, 30)
    later = make_population(conf.sandbox_seed, conf.sandbox_families, CLOSED_DAY)
    _deliver(stage, later, CLOSED_DAY)
    _identify(stage, CLOSED_DAY)
    stage.run("retention_sweep", CLOSED_DAY)


def _play_day(stage: Stage, people: Population, day: date) -> None:
    """A day on which the programme is open and a wave is due: from delivery to release."""
    registers = department_registers(people, settings.load().sandbox_seed, REGISTER_SIZE)
    with stage.journal.stage("department registers") as to_do:
        if to_do:
            _fill_registers(registers)
    _deliver(stage, people, day)
    _identify(stage, day)
    stage.run("evaluation_exchange", day)
    stage.run_all([f"department_match_{name}" for name in DEPARTMENTS], day)
    with stage.journal.stage("match quality") as to_do:
        if to_do:
            stage.journal.match = quality.measure(people.people, registers)
    stage.run("research_linkage", day)
    stage.approve("results_release", day)
    stage.run("exchange_receipts", day)
    stage.run("subject_rights", day)
    stage.run("retention_sweep", day)


def _play_today(stage: Stage) -> None:
    conf = settings.load()
    today = clock.today()
    people = make_population(conf.sandbox_seed, conf.sandbox_families, today)
    if policy.load().is_open(clock.now()):
        _play_day(stage, people, today)
        return
    _deliver(stage, people, today)
    _identify(stage, today)
    stage.run("evaluation_exchange", today)
    stage.run_all([f"department_match_{name}" for name in DEPARTMENTS], today)
    stage.run("research_linkage", today)
    stage.run("results_release", today)
    stage.run("subject_rights", today)
    stage.run("retention_sweep", today)


def _identify(stage: Stage, day: date) -> None:
    stage.run("partner_deliveries", day)
    stage.follow("early_help_families", day)
    stage.follow("evaluation_submission", day)


def _deliver(stage: Stage, people: Population, day: date) -> None:
    """The partners deliver, each in its own way."""
    with stage.journal.stage(f"{day} files delivered") as to_do:
        if not to_do:
            return
        for feed, delivery in partner_deliveries(people, day).items():
            partners.deliver(feed, delivery)
        stage.tell(f"{day}: partners have delivered")


def _fill_registers(registers: dict[str, Register]) -> None:
    """Give each department its own business register, encrypted in its own store."""
    programme = policy.load().name
    for department, register in registers.items():
        vault = Vault(department)
        frames: dict[str, Any] = {"people": register.people, **register.attributes}
        for name, frame in frames.items():
            vault.put_frame(
                frame, "department_register", programme=programme, natural_key=f"register:{name}", label=name
            )


def _set_clock(stage: Stage, day: date, hour: int, minute: int) -> None:
    """Move the simulated clock forward; a resumed sandbox never turns it back."""
    with stage.journal.stage(f"{day} begins") as to_do:
        if to_do:
            clock.set_simulated(clock.at(day, hour, minute))
            stage.tell(f"The simulated clock stands at {day} {hour:02}:{minute:02}")
