#!/bin/bash
# What a new instance of a spot fleet does first, as root: installs the project, waits for the volume, starts the services.
# scripts/spot/user-data.ts puts assignments of these before it:
#   FLEET REGION VOLUME REPOSITORY REVISION SENSOR CONFIG (base64)
# SYSTEM_ROOT, which the tests set, stands before every path.
set -euo pipefail
export HOME=/root

SYSTEM_ROOT=${SYSTEM_ROOT:-}
SOURCE=$SYSTEM_ROOT/usr/src/databricks-uploader
PROGRAMS=$SYSTEM_ROOT/opt/databricks-uploader
DATA=/srv/databricks-uploader
LABEL=uploader-data
# Amazon Linux's udev names EBS volumes so, whatever the kernel calls them.
DEVICE=$SYSTEM_ROOT/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${VOLUME/-/}

main() {
  say "revision $REVISION, volume $VOLUME"
  # The volume comes last: until then it may still be with the instance before this one.
  until_done install_tools
  until_done install_project
  attach_volume
  make_filesystem "$DEVICE"
  mount_volume
  configure
  start_services
  say "started"
}

say() {
  echo "uploader-fleet: $*"
}

refuse() {
  say "STOPPED: $*"
  exit 1
}

# Tries a step again until it succeeds, since registries and networks have bad minutes.
until_done() {
  local pause=5
  until "$@"; do
    say "$1 failed; it is tried again in $pause seconds"
    sleep "$pause"
    pause=$((pause < 120 ? pause * 2 : 120))
  done
}

install_tools() {
  dnf install -y -q git-core nodejs22 nodejs22-npm gcc gcc-c++ make python3 diffutils e2fsprogs &&
    link_program node && link_program npm
}

# The units and npm's programs look for names without a version.
link_program() {
  [ -x "$SYSTEM_ROOT/usr/bin/$1" ] || ln -sf "$1-22" "$SYSTEM_ROOT/usr/bin/$1"
}

install_project() {
  rm -rf "$SOURCE" "$PROGRAMS" &&
    mkdir -p "$SOURCE" "$PROGRAMS" &&
    git -C "$SOURCE" init -q &&
    git -C "$SOURCE" fetch -q --depth 1 "$REPOSITORY" "$REVISION" &&
    git -C "$SOURCE" checkout -q FETCH_HEAD &&
    (cd "$SOURCE" && ./scripts/install.sh && npm prune --omit=dev --no-audit --no-fund --loglevel=error) &&
    cp -r "$SOURCE/dist" "$SOURCE/node_modules" "$SOURCE/package.json" "$PROGRAMS"
}

# The instance before this one may have it until it is gone, and the group starts this one no sooner than it ends.
attach_volume() {
  local instance said last=""
  instance=$(instance_id) || refuse "the metadata service does not say which instance this is"
  until [ -e "$DEVICE" ]; do
    if said=$(aws ec2 attach-volume --region "$REGION" --volume-id "$VOLUME" --instance-id "$instance" \
      --device /dev/sdf 2>&1); then
      said="attached"
    fi
    [ "$said" = "$last" ] || say "volume $VOLUME: $said"
    last=$said
    sleep 5
  done
}

instance_id() {
  local metadata=http://169.254.169.254/latest token
  token=$(curl -fsS --retry 5 -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 300" "$metadata/api/token")
  curl -fsS --retry 5 -H "X-aws-ec2-metadata-token: $token" "$metadata/meta-data/instance-id"
}

# Makes a filesystem on a device that is blank; takes one that is ours; lets everything else alone.
make_filesystem() {
  local found code=0
  found=$(blkid -p -o value -s LABEL -s TYPE "$1" | sort | tr '\n' ' ') || code=$?
  if [ "$code" = 0 ] && [ "$found" = "ext4 $LABEL " ]; then
    say "the volume has its filesystem"
  elif [ "$code" = 2 ] && is_blank "$1"; then
    say "the volume is blank and gets a filesystem"
    mkfs.ext4 -q -L "$LABEL" "$1"
  else
    refuse "the volume is neither blank nor this fleet's (${found:-data without a filesystem}), and is left as it is"
  fi
}

# blkid also finds nothing where it cannot read, so the first MiB is looked at: a new volume is zeros.
is_blank() {
  cmp -s -n 1048576 "$1" /dev/zero
}

# By fstab, so that a reboot mounts them too; nofail, so that it ends in a machine that can say what is wrong.
mount_volume() {
  add_mount "$DEVICE $DATA ext4 noatime,nodev,nosuid,noexec,nofail 0 2" "$DATA"
  resize2fs "$DEVICE" || say "the filesystem stays as large as it was"
  mkdir -p "$SYSTEM_ROOT$DATA/sensor" "$SYSTEM_ROOT$DATA/state"
  add_mount "$DATA/sensor /var/lib/sensor none bind,nofail,x-systemd.requires-mounts-for=$DATA 0 0" /var/lib/sensor
  add_mount "$DATA/state /var/lib/databricks-uploader none bind,nofail,x-systemd.requires-mounts-for=$DATA 0 0" \
    /var/lib/databricks-uploader
}

add_mount() {
  mkdir -p "$SYSTEM_ROOT$2"
  echo "$1" >>"$SYSTEM_ROOT/etc/fstab"
  mount "$SYSTEM_ROOT$2"
}

configure() {
  local units=$SOURCE/deploy/systemd etc=$SYSTEM_ROOT/etc unit
  [ -d "$units" ] || refuse "revision $REVISION has no deploy/systemd"
  mkdir -p "$SYSTEM_ROOT"/usr/lib/{sysusers.d,tmpfiles.d} "$etc/systemd/system"
  cp "$units/databricks-uploader.sysusers.conf" "$SYSTEM_ROOT/usr/lib/sysusers.d/databricks-uploader.conf"
  cp "$units/databricks-uploader.tmpfiles.conf" "$SYSTEM_ROOT/usr/lib/tmpfiles.d/databricks-uploader.conf"
  cp "$units"/*.service "$etc/systemd/system/"
  for unit in databricks-sensor databricks-uploader; do drop_in "$unit"; done
  install -d -m 0755 "$etc/databricks-uploader"
  base64 -d <<<"$CONFIG" >"$etc/databricks-uploader/config.yaml"
  # The node is the fleet, whichever instance it is.
  (umask 0077 && printf 'NODE_ID=%s\nSPOT_NOTICES=true\n' "$FLEET" >"$etc/databricks-uploader/environment")
}

# Without the volume nothing is written; what is said is also said on the console, which EC2 shows.
drop_in() {
  local folder=$SYSTEM_ROOT/etc/systemd/system/$1.service.d
  mkdir -p "$folder"
  cat >"$folder/spot.conf" <<'UNIT'
[Unit]
RequiresMountsFor=/var/lib/sensor /var/lib/databricks-uploader
[Service]
StandardOutput=journal+console
StandardError=journal+console
UNIT
}

start_services() {
  systemd-sysusers
  # The instance before may have given these users other numbers.
  chown -hR databricks-sensor:sensor-data "$SYSTEM_ROOT/var/lib/sensor"
  chown -hR databricks-uploader:databricks-uploader "$SYSTEM_ROOT/var/lib/databricks-uploader"
  systemd-tmpfiles --create databricks-uploader.conf
  systemctl daemon-reload
  # Without it the uploader still ships what is there.
  if [ "$SENSOR" = true ]; then systemctl enable --now databricks-sensor || say "the sensor does not start"; fi
  # The uploader may take minutes until it is ready, and says so itself.
  systemctl enable --now --no-block databricks-uploader
}

# Not where the tests take single functions from it.
if [ "${BASH_SOURCE[0]}" = "$0" ]; then main; fi
