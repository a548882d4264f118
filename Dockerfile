# Two stages. The first installs what the lock pins, by hash. The second has no compiler and runs without root.
FROM python:3.13.5-slim-bookworm AS install
COPY requirements.lock /tmp/requirements.lock
RUN python -m venv /opt/bot \
    && /opt/bot/bin/python -m pip install --no-cache-dir --disable-pip-version-check \
       --require-hashes --only-binary=:all: -r /tmp/requirements.lock

FROM python:3.13.5-slim-bookworm
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
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 CMD \
    ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:%s/livez' % os.environ.get('HEALTH_PORT', '8080'), timeout=4)"]
ENTRYPOINT ["execution-bot"]
CMD ["run"]
