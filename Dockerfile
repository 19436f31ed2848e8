# MyoMIDS as a container. See docs/containers.md.
#
#   docker build -t myomids:0.4.0 .                                  CPU (default)
#   docker build -t myomids:0.4.0-cuda --build-arg TORCH_BUILD=cuda .  NVIDIA GPUs
#   docker build -t myomids:test --target test .                     with the test suite inside
#
# The base is named by its digest, so that the same file always builds on the same system. The tag
# is for people; a machine without access to that registry overrides BASE_IMAGE.
ARG BASE_IMAGE=docker.io/library/debian:bookworm-20260824-slim@sha256:88200866dfff7ea7f5cbcb6ec7c8a701889efe6fe859fe64d6990e4b07ea4171

FROM ${BASE_IMAGE} AS base
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3.11 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/*

# Everything that installs packages happens here; only the finished /opt/venv leaves this stage.
FROM base AS builder
RUN apt-get update \
    && apt-get install --yes --no-install-recommends binutils ca-certificates python3.11-venv
RUN python3.11 -m venv /opt/venv
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build

# The locks come before the source: a change of the source installs nothing again.
COPY requirements/lock.txt requirements/lock-extras.txt requirements/lock-torch.txt \
    requirements/lock-nnunet.txt requirements/lock-nnunet-no-deps.txt requirements/

# cpu: the build without CUDA, which PyPI does not have; any page or folder that pip can take as
# --find-links will do. cuda: the build that PyPI serves, with NVIDIA's libraries.
ARG TORCH_BUILD=cpu
ARG TORCH_CPU_WHEELS=https://download.pytorch.org/whl/cpu/torch/
RUN torch="$(grep '^torch==' requirements/lock-torch.txt)" \
    && case "$TORCH_BUILD" in \
    cpu) /opt/venv/bin/pip install --no-compile --no-deps --no-index \
    --find-links "$TORCH_CPU_WHEELS" "$torch+cpu" ;; \
    cuda) /opt/venv/bin/pip install --no-compile "torch===${torch#torch==}" ;; \
    *) echo "TORCH_BUILD is cpu or cuda, not '$TORCH_BUILD'" >&2; exit 1 ;; \
    esac

# The locks are complete, so nothing is resolved; see requirements/README.md about nnunetv2.
RUN /opt/venv/bin/pip install --no-compile --no-deps \
    --requirement requirements/lock.txt \
    --requirement requirements/lock-extras.txt \
    --requirement requirements/lock-nnunet.txt \
    --requirement requirements/lock-nnunet-no-deps.txt

COPY container/strip_environment.sh container/warm_imports.py container/
RUN sh container/strip_environment.sh /opt/venv \
    && /opt/venv/bin/python container/warm_imports.py "$TORCH_BUILD"

# The app itself, with permissions and bytecode that serve every user id.
FROM builder AS app
COPY run.py LICENSE CITATION.cff /opt/myomids/
COPY container/myomids container/check_installation.py /opt/myomids/container/
COPY pipelines /opt/myomids/pipelines
COPY bids_app /opt/myomids/bids_app
ARG VERSION=0.4.0
# Checks the SHA-256 of the weights, and that the version given is the version inside.
RUN chmod -R u=rwX,go=rX /opt/myomids \
    && chmod 755 /opt/myomids/run.py /opt/myomids/container/myomids \
    && /opt/venv/bin/python /opt/myomids/container/check_installation.py --version "$VERSION"

FROM base AS runtime
COPY --from=builder /opt/venv /opt/venv
COPY --from=app /opt/myomids /opt/myomids

# What the image says of itself, in its labels and in every dataset that it writes.
ARG VERSION=0.4.0
ARG REVISION=unknown
ARG CREATED=unknown
ARG TORCH_BUILD=cpu
ARG BASE_IMAGE
LABEL org.opencontainers.image.title="MyoMIDS" \
      org.opencontainers.image.description="BIDS App for neuromuscular MRI: per-muscle fat fractions. Research software, not a medical device." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${BASE_IMAGE}" \
      org.myomids.torch-build="${TORCH_BUILD}"
ENV MYOMIDS_CONTAINER_TYPE=docker \
    MYOMIDS_CONTAINER_TAG=myomids:${VERSION}

# One home for every user id: it can be read by all and is written by none. Caches of libraries go
# to the work folder of a run (MyoMIDS sets them); /tmp catches what is asked before that.
# The .pth file is for other entrances, such as `dask worker`, which must find the app as well.
RUN mkdir -p /home/myomids \
    && chmod 755 /home/myomids \
    && ln -s /opt/myomids/container/myomids /usr/local/bin/myomids \
    && echo /opt/myomids > /opt/venv/lib/python3.11/site-packages/myomids.pth \
    && echo "$VERSION" > /version
ENV HOME=/home/myomids \
    LANG=C.UTF-8 \
    PATH=/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    MPLCONFIGDIR=/tmp/matplotlib \
    NUMBA_CACHE_DIR=/tmp/numba \
    TORCH_HOME=/tmp/torch \
    TORCHINDUCTOR_CACHE_DIR=/tmp/inductor \
    XDG_CACHE_HOME=/tmp/cache

WORKDIR /tmp
# As process 1, Python would ignore the default signal; an interrupt ends a run in good order.
STOPSIGNAL SIGINT
# -E -s: packages of the host that leak into the container are not used. -B: nothing to write.
ENTRYPOINT ["/opt/venv/bin/python", "-EsB", "/opt/myomids/run.py"]

# The test suite against the packages of the image.
FROM runtime AS test
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3.11-venv \
    && rm -rf /var/lib/apt/lists/*
COPY requirements /opt/myomids/requirements
RUN python3.11 -m venv /opt/pip \
    && /opt/pip/bin/pip --python /opt/venv/bin/python install --no-deps \
    --requirement /opt/myomids/requirements/lock-test.txt \
    && rm -rf /opt/pip
COPY . /opt/myomids
WORKDIR /opt/myomids
ENTRYPOINT ["/opt/venv/bin/python", "-m", "pytest", "-p", "no:cacheprovider"]

# Last, so that a build without --target makes it.
FROM runtime AS production
