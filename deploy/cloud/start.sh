#!/usr/bin/env bash
# A rented machine's first start ("user data", "startup script"), Debian 12 or later or Ubuntu 24.04 or later, as root. Set the
# two lines below. It may run at every start: what is there already stays.
set -euo pipefail
umask 022 # a hardened image's 027 or 077 would keep the service's user out of what is installed here

OUROBOROS_SOURCE=${OUROBOROS_SOURCE:-} # a git address of this program, or a wheel's
CLOUD=${CLOUD:-}                       # aws, gcp or azure: save when a spot instance is taken back; empty: no spot instance

[ "$(id -u)" = 0 ] || { echo "start.sh: run it as root" >&2; exit 2; }
[ -n "$OUROBOROS_SOURCE" ] || { echo "start.sh: set OUROBOROS_SOURCE to a git address or a wheel" >&2; exit 2; }
export DEBIAN_FRONTEND=noninteractive
if ! { command -v git >/dev/null && python3 -c 'import ensurepip' 2>/dev/null; }; then
  # At a first start something else often holds apt's lock.
  apt-get -o DPkg::Lock::Timeout=600 update -qq
  apt-get -o DPkg::Lock::Timeout=600 install -y -qq --no-install-recommends ca-certificates git python3 python3-venv
fi

# The state lies on a disk that outlives the machine, where one is mounted at /srv; else on this one's.
home=/srv/ouroboros
id ouroboros >/dev/null 2>&1 || useradd --system --home-dir "$home" --shell /usr/sbin/nologin ouroboros
install -d -o ouroboros -g ouroboros "$home" "$home/automation"
/opt/ouroboros/bin/python -m pip --version >/dev/null 2>&1 || python3 -m venv --clear /opt/ouroboros # half made, perhaps
extras=go
[ ! -e /dev/nvidia0 ] || extras=go,train
case $OUROBOROS_SOURCE in
*.whl) what="ouroboros[$extras] @ $OUROBOROS_SOURCE" ;;
*) what="ouroboros[$extras] @ git+${OUROBOROS_SOURCE#git+}" ;;
esac
/opt/ouroboros/bin/pip install --quiet --disable-pip-version-check "$what"

package=$(/opt/ouroboros/bin/python -c 'from pipeline.bundled import DEPLOY; print(DEPLOY)')
unit=/etc/systemd/system/ouroboros.service
new=$(mktemp)
sed -e "s#^WorkingDirectory=.*#WorkingDirectory=$home#" \
  -e "s#^Environment=OUROBOROS_HOME=.*#Environment=OUROBOROS_HOME=$home/automation#" \
  -e "s#^ExecStart=.*#ExecStart=/opt/ouroboros/bin/ouroboros up#" \
  "$package/systemd/ouroboros.service" >"$new"
[ -e "$unit" ] || install -m 644 "$new" "$unit" # what you changed in it stays
rm -f "$new"
if [ -n "$CLOUD" ]; then
  cat >/etc/systemd/system/ouroboros-spot.service <<UNIT
[Unit]
Description=Has Ouroboros save and stop when this machine is taken back
After=network-online.target ouroboros.service

[Service]
ExecStart=/usr/bin/python3 $package/cloud/spot_drain.py $CLOUD --command 'systemctl stop ouroboros'
Restart=on-failure
RestartSec=10

[Install]
WantedBy=multi-user.target
UNIT
fi
systemctl daemon-reload
systemctl enable --now ouroboros.service ${CLOUD:+ouroboros-spot.service}
echo "Ouroboros runs. journalctl -u ouroboros -f; ssh -L 8817:127.0.0.1:8817 this machine, then http://127.0.0.1:8817"
