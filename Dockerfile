# syntax=docker/dockerfile:1
# One image for Airflow's services, the bootstrap steps and the watchdog. Every package comes from requirements.txt by hash.
FROM python:3.11.16-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
COPY requirements.txt /tmp/requirements.txt
RUN /opt/venv/bin/pip install --require-hashes --requirement /tmp/requirements.txt
RUN printf '#!/opt/venv/bin/python\nfrom linkage.cli import app\n\napp()\n' > /opt/venv/bin/linkage && chmod 755 /opt/venv/bin/linkage

FROM python:3.11.16-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b
RUN groupadd --gid 10001 linkage && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin linkage \
    && install -d -o 10001 -g 10001 -m 700 \
       /var/lib/linkage /var/lib/linkage/secrets /var/lib/linkage/weed /var/lib/linkage/bao /var/lib/linkage/landing /var/lib/airflow
COPY --from=packages /opt/venv /opt/venv
COPY linkage /opt/linkage/linkage
COPY dags /opt/linkage/dags
COPY plugins /opt/linkage/plugins
COPY policy /opt/linkage/policy
COPY expectations /opt/linkage/expectations
COPY deploy /opt/linkage/deploy
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/linkage:/opt/linkage/deploy \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
WORKDIR /opt/linkage
USER 10001:10001
