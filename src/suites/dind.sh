#!/bin/sh
# Starts the Docker daemon inside by way of the image's entrypoint, makes an image of the programs at hand, and runs it.
# Needs a privileged container.
set -eu

if [ "${1:-}" != inside ]; then
    # What the daemon keeps must not lie on an overlay of the builder's.
    mkdir -p /run/edgenode-docker
    mount -t tmpfs -o size=512m tmpfs /run/edgenode-docker
    # Its address is no part of the test, so there are no certificates to make.
    exec env EE_DD=1 DOCKER_TLS_CERTDIR= DOCKERD_DATA_ROOT=/run/edgenode-docker \
        /usr/local/bin/entrypoint.sh /bin/sh "$0" inside
fi
set -- /usr/bin/echo
for library in $(ldd /usr/bin/echo | grep -o '/[^ ]*'); do
    set -- "$@" "$library"
done
tar -chf - "$@" 2>/dev/null | docker import - echo >/dev/null
told=$(docker run --rm --network none echo /usr/bin/echo 'inside the inside')
[ "$told" = 'inside the inside' ] || {
    echo "the container said '$told'" >&2
    exit 1
}
docker version --format '{{.Server.Version}}'
docker info --format '{{.Driver}}'
