#!/bin/sh
# Sets up the root, which is / here: the time zone $TIMEZONE, the locale $LOCALE, and the users of the file $USERS, one
# in a line as NAME:UID:SHELL. What is empty is left alone.
set -eu

if [ -n "${TIMEZONE:-}" ]; then
    [ -f "/usr/share/zoneinfo/$TIMEZONE" ] || {
        echo "edgenode: there is no time zone '$TIMEZONE'" >&2
        exit 2
    }
    ln -sf "/usr/share/zoneinfo/$TIMEZONE" /etc/localtime
    echo "$TIMEZONE" >/etc/timezone
fi
if [ -n "${LOCALE:-}" ]; then
    case $LOCALE in
    C.UTF-8 | POSIX) ;;
    *) localedef -i "${LOCALE%%.*}" -f UTF-8 "$LOCALE" ;;
    esac
    echo "LANG=$LOCALE" >/etc/default/locale
fi
while IFS=: read -r name uid shell; do
    owner=$(getent passwd "$uid" | cut -d : -f 1)
    if [ -n "$owner" ]; then
        echo "edgenode: the user '$name' cannot have the number $uid, which '$owner' has already" >&2
        exit 2
    fi
    useradd --create-home --user-group --uid "$uid" --shell "$shell" -- "$name"
done <"$USERS"
rm -f /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /var/log/lastlog /var/log/faillog
