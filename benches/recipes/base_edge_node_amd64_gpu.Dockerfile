# The GPU image in the style of the recipes that specs replace: stages for Python and FFmpeg that are copied whole, one
# step for the system and CUDA, one step for all Python packages, which slims in the end. The peer of
# specs/base_edge_node_amd64_gpu.yaml in the measurement of sizes; what cannot be had where that runs is replaced on
# both sides alike (docs/sizes.md).
#
# Build it with the directory of entrypoint.sh as its context, and with FFmpeg below /usr/local of the named context
# `ffmpeg`; in the recipe that is a stage, too, which leaves static libraries and headers there besides.
# INDEX is the package index of TensorRT's libraries.
FROM debian:13 AS python
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update && apt-get install -y --no-install-recommends \
        build-essential ca-certificates curl libbz2-dev libffi-dev libgdbm-dev liblzma-dev libncursesw5-dev \
        libreadline-dev libsqlite3-dev libssl-dev tk-dev uuid-dev xz-utils zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
ADD --checksum=sha256:93e583f243454e6e9e4588ca2c2662206ad961659863277afcdb96801647d640 \
    https://www.python.org/ftp/python/3.13.5/Python-3.13.5.tar.xz ./
RUN tar -xf Python-3.13.5.tar.xz && cd Python-3.13.5 \
    && ./configure --prefix=/opt/python --enable-shared \
    && make -j"$(nproc)" && make install \
    && LD_LIBRARY_PATH=/opt/python/lib /opt/python/bin/python3 -m ensurepip

# What the recipe takes from nodesource's packages and uv's installer script.
FROM debian:13 AS programs
RUN apt-get update && apt-get install -y --no-install-recommends xz-utils
ADD --checksum=sha256:4543670b589593f8fa5f106111fd5139081da42bb165a9239f05195e405f240a \
    https://nodejs.org/dist/v20.18.0/node-v20.18.0-linux-x64.tar.xz /src/node.tar.xz
ADD --checksum=sha256:90b2f223fb69d19db49e117da601f64978593417988530aa733d456141b4bcbb \
    https://github.com/astral-sh/uv/releases/download/0.12.1/uv-x86_64-unknown-linux-gnu.tar.gz /src/uv.tar.gz
RUN mkdir -p /programs/bin && tar -xf /src/node.tar.xz -C /programs --strip-components=1 \
    && tar -xf /src/uv.tar.gz -C /programs/bin --strip-components=1

FROM debian:13
ARG INDEX=https://pypi.nvidia.com/
ENV DEBIAN_FRONTEND=noninteractive TZ=Etc/UTC DOCKER_TLS_CERTDIR=/certs EE_DD=false PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONDONTWRITEBYTECODE=1 CUDA_ROOT=/usr/local/cuda-12.8 CUDA_HOME=/usr/local/cuda-12.8
COPY --from=python /opt/python /opt/python
COPY --from=ffmpeg /usr/local /usr/local
COPY --from=programs /programs /usr/local
COPY entrypoint.sh /usr/local/bin/entrypoint.sh
# Whom the base image trusts besides the usual authorities is trusted after the package of those is installed, too.
RUN if [ -f /etc/ssl/certs/ca-certificates.crt ]; then \
        install -D -t /usr/local/share/ca-certificates /etc/ssl/certs/ca-certificates.crt; fi \
    && chmod +x /usr/local/bin/entrypoint.sh && apt-get update && apt-get install -y --no-install-recommends \
        ca-certificates e2fsprogs curl tzdata nano openssl gpg mosquitto mosquitto-clients git iptables iproute2 kmod \
        util-linux xz-utils pigz unzip lsb-release fuse-overlayfs uidmap build-essential libopenblas-dev libaom3 libass9 \
        libfontconfig1 libfreetype6 libgnutls30t64 libmp3lame0 libopus0 libva2 libva-drm2 libva-x11-2 libvdpau1 libvpx9 \
        libxcb1 libxcb-shape0 libxcb-shm0 libxcb-xfixes0 libx264-164 libx265-215 libxml2 \
    && ln -snf "/usr/share/zoneinfo/$TZ" /etc/localtime && echo "$TZ" >/etc/timezone \
    && apt-get install -y --no-install-recommends docker.io docker-cli \
    # cuda-cudart-dev-12-8, cuda-nvcc-12-8 and libcublas-dev-12-8 are on NVIDIA's server alone. Of what they bring,
    # NVIDIA's wheels have the shared libraries; compiler, headers and static libraries are left out.
    && export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt LD_LIBRARY_PATH=/opt/python/lib \
    && uv pip install --python /opt/python/bin/python3 --no-cache --no-compile --no-deps --target /tmp/cuda \
        nvidia-cuda-runtime-cu12==12.8.90 nvidia-cublas-cu12==12.8.4.1 \
    && mkdir -p "$CUDA_HOME/lib64" && mv /tmp/cuda/nvidia/*/lib/*.so.* "$CUDA_HOME/lib64/" && rm -rf /tmp/cuda \
    && rm -rf /usr/local/include /usr/local/lib/pkgconfig /usr/local/share/doc /usr/local/share/man \
    && rm -rf /var/lib/apt/lists/* && ldconfig
ENV PATH=/opt/python/bin:/usr/src/tensorrt/bin:$CUDA_ROOT/bin:$PATH \
    LD_LIBRARY_PATH=/opt/python/lib:/usr/local/lib:$CUDA_ROOT/lib64 UV_HTTP_TIMEOUT=300 \
    AI_ENV=base_edge_node_amd64_gpu AI_ENV_VER=0.3.0
RUN export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt && echo pynvml >/tmp/excluded \
    && uv pip install --system --no-cache --no-compile --excludes /tmp/excluded --index "$INDEX" \
        torch==2.9.1 torchvision==0.24.1 torchaudio==2.9.1 nvidia-cudnn-cu12 bitsandbytes \
        tensorrt-cu12-bindings==10.13.3.9 tensorrt-cu12-libs==10.13.3.9 \
        'paho-mqtt>=1.6' 'pika>=1.3' 'nvidia-ml-py>=11.4' 'numpy>=2.1,<2.4' docker 'pyyaml>=6.0' 'pyarrow>=15' minio gql \
        opencv-python-headless decord accelerate tokenizers sentencepiece seaborn pandas shapely scikit-learn \
        scikit-image dropbox pymssql h5py unidecode transformers==4.57.1 cryptography onnx openvino==2025.4.1 \
        onnxruntime-openvino==1.23.0 onnxsim fastapi uvicorn python-multipart pydantic bs4 web3 faiss-cpu \
    && cd /opt/python/lib/python3.13 && mkdir site-packages/tensorrt \
    && printf 'from tensorrt_bindings import *\nfrom tensorrt_bindings import __version__\n' \
        >site-packages/tensorrt/__init__.py \
    && rm -rf test idlelib turtledemo ensurepip/_bundled \
    && find . -type d -name __pycache__ -prune -exec rm -rf {} + \
    && find /usr/local/lib -type f \( -name '*.a' -o -name '*.la' \) -delete \
    && { strip --strip-unneeded /opt/python/bin/python3.13 /usr/local/bin/ffmpeg /usr/local/bin/ffprobe; \
        find /opt/python/lib -type f -name '*.so' -exec strip --strip-unneeded {} +; \
        find /usr/local/lib -type f -name '*.so*' -exec strip --strip-unneeded {} +; true; } \
    && rm -rf /root/.cache /tmp/excluded
RUN mkdir -p /root/intel && echo 0 >/root/intel/openvino_telemetry
RUN mkdir -p /intel && echo 0 >/intel/openvino_telemetry && chmod o+r /intel/openvino_telemetry
WORKDIR /ai_edge_node
ENTRYPOINT ["/usr/local/bin/entrypoint.sh"]
CMD ["bash"]
