ARG PYTHON_VERSION=3.11

FROM python:${PYTHON_VERSION}-slim AS builder
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never \
    VIRTUAL_ENV=/srv/cairn/.venv
WORKDIR /build
COPY requirements/uv.txt requirements/production.txt requirements/
RUN ["python", "-m", "pip", "install", "--no-cache-dir", "--require-hashes", "-r", "requirements/uv.txt"]
RUN ["uv", "venv", "/srv/cairn/.venv"]
RUN ["uv", "pip", "install", "--no-deps", "--no-build", "--require-hashes", "-r", "requirements/production.txt"]
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY workflows workflows
RUN ["uv", "pip", "install", "--no-deps", "."]

FROM python:${PYTHON_VERSION}-slim
# A user with a name, because libpq asks for it; a numeric id, so that a cluster can see it is not root.
RUN ["useradd", "--uid", "10001", "--no-create-home", "--home-dir", "/data", "--shell", "/usr/sbin/nologin", "cairn"]
RUN ["install", "--directory", "--owner=10001", "--group=10001", "/data"]
COPY --from=builder /srv/cairn/.venv /srv/cairn/.venv
COPY workflows /srv/cairn/workflows
ENV PATH=/srv/cairn/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    CAIRN_DATABASE_URL=sqlite:////data/cairn.db \
    CAIRN_HOST=0.0.0.0 \
    CAIRN_PORT=8000 \
    CAIRN_WORKFLOWS=/srv/cairn/workflows
WORKDIR /srv/cairn
USER 10001:10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
# Without a proxy, whatever the environment says: the service is in this container.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["python", "-c", "import os, urllib.request as u; u.build_opener(u.ProxyHandler({})).open(f'http://127.0.0.1:{os.environ[\"CAIRN_PORT\"]}/health/ready', timeout=2)"]
CMD ["cairn", "serve"]
