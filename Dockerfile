# sixgate as a container. The image is pinned by tag: its digest differs per registry mirror and
# could not be verified where this file was written; `docker build --pull` shows it, pin it then.
FROM python:3.12.12-slim-bookworm
ENV ETH_HASH_BACKEND=pysha3 PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /opt/sixgate
COPY requirements/runtime.txt requirements/build.txt requirements/
RUN pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/runtime.txt \
 && pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY signer signer
COPY streams streams
COPY sixgate sixgate
COPY infra infra
RUN pip install --no-cache-dir --no-deps --no-build-isolation .
WORKDIR /tmp
USER 65532:65532
ENTRYPOINT ["sixgate"]
