# Two stages, from an image that `make images` brings up to date. The first installs what the lock pins, by hash. The second has no compiler and runs without root.
FROM python:3.13-slim-bookworm@sha256:67a1e1f215ccda113cfc024e8639049257e88f273898f595b61476d128d387e8 AS install
COPY requirements.lock requirements-embedded.lock /tmp/
RUN python -m venv /opt/bot \
    && /opt/bot/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
       --require-hashes --only-binary=:all: -r /tmp/requirements.lock -r /tmp/requirements-embedded.lock

FROM python:3.13-slim-bookworm@sha256:67a1e1f215ccda113cfc024e8639049257e88f273898f595b61476d128d387e8
ENV PATH=/opt/bot/bin:$PATH \
    HEALTH_HOST=0.0.0.0 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    STATE_DIR=/var/lib/execution-bot
RUN groupadd --system --gid 10001 bot \
    && useradd --system --uid 10001 --gid bot --no-create-home --home-dir /nonexistent bot \
    && install --directory --owner=bot --group=bot --mode=0700 /var/lib/execution-bot
COPY --from=install /opt/bot /opt/bot
COPY bot /app/bot
COPY handlers /app/handlers
RUN printf '#!/bin/sh\nexec python -m bot "$@"\n' > /usr/local/bin/execution-bot \
    && chmod 0755 /usr/local/bin/execution-bot
WORKDIR /var/lib/execution-bot
USER 10001:10001
VOLUME /var/lib/execution-bot
EXPOSE 3000 8080
# On SIGTERM the bot finishes what it is doing, within 10 s.
STOPSIGNAL SIGTERM
# http.client, since urllib would ask a proxy of the environment.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 CMD \
    ["python", "-c", "import http.client as h, os, sys; c = h.HTTPConnection('127.0.0.1', int(os.environ.get('HEALTH_PORT') or 8080), timeout=4); c.request('GET', '/livez'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["execution-bot"]
CMD ["run"]
