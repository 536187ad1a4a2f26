"""What a programme asks for: the evaluation's schemas narrowed to its own variables, never widened (N3, N7)."""

from __future__ import annotations

from dataclasses import replace

from linkage import policy
from linkage.evaluation import families, outcomes, schemas
from linkage.evaluation.schemas import Crowd, DepartmentSchema, ResearchPolicy, Schemas


def asked(programme: str | None = None) -> Schemas:
    """The schemas in force without the department columns the programme leaves out, and without tables nobody needs then.

    A column that is not asked for is not in the return, nor in the linked file, nor in the research file: it is absent, not
    empty. `programme` defaults to the deployment's own.
    """
    told, plan = schemas.load(), policy.load(programme)
    departments = {name: _narrowed(schema, plan.variables(name)) for name, schema in told.departments.items()}
    left_out = {column for name, schema in told.departments.items() for column in schema.columns} - {
        column for schema in departments.values() for column in schema.columns
    }
    return replace(told, departments=departments, research=_without(told.research, left_out))


def _narrowed(schema: DepartmentSchema, columns: tuple[str, ...]) -> DepartmentSchema:
    makes = {table: tuple(c for c in made if c in columns) for table, made in schema.makes.items()}
    makes = {table: made for table, made in makes.items() if made}
    return replace(schema, columns=columns, makes=makes, inputs={table: schema.inputs[table] for table in makes})


def _without(research: ResearchPolicy, left_out: set[str]) -> ResearchPolicy:
    unasked = {
        families.column(outcome.name, answer)
        for outcome in outcomes.load().values()
        if outcome.column in left_out
        for answer in outcomes.ANSWERS
    }
    return replace(
        research,
        people=_without_columns(research.people, left_out),
        families=_without_columns(research.families, unasked),
    )


def _without_columns(crowd: Crowd, left_out: set[str]) -> Crowd:
    return replace(
        crowd,
        columns=tuple(step for step in crowd.columns if step.column not in left_out),
        generalise=tuple(step for step in crowd.generalise if step.column not in left_out),
        sensitive=tuple(column for column in crowd.sensitive if column not in left_out),
        quasi_identifiers=tuple(column for column in crowd.quasi_identifiers if column not in left_out),
    )
