#!/bin/bash
# Drives an AWS Application Load Balancer for decantd: a program for a balancer of kind `command`, see decant-balancer(7).
#   balancers: { edge: { kind: command, program: /usr/local/lib/decant/balancer-aws-alb.sh, timeout: 30s } }
# A backend is a target group, by its name; a member is a line of the file MEMBERS. It needs the AWS CLI, and a role with
# elasticloadbalancing:DescribeTargetGroups, DescribeTargetHealth, RegisterTargets and DeregisterTargets.
# An ALB does not tell how many requests are in flight: a target counts as one until the ALB calls it drained, which is at the latest
# after the group's deregistration_delay.timeout_seconds. Set that below drain_timeout in decant.yml.
set -euo pipefail

# What to change.
AWS=aws
# Lines of: TARGET-GROUP MEMBER TARGET-ID PORT, for example: shop web1 10.0.0.11 4000
MEMBERS=/etc/decant/alb-members

# Exit codes of sysexits.h; 69 is decantd's word for "the balancer cannot be reached".
usage() { echo "$*" >&2; exit 64; }
unreachable() { echo "$*" >&2; exit 69; }

verb=${1:-} backend=${2:-} member=${3:-} address=${4:--} weight=${5:-100}
[ -r "$MEMBERS" ] || unreachable "$MEMBERS cannot be read"

# Prints "TARGET-ID PORT" of the member.
target() {
  awk -v b="$backend" -v m="$member" '$1 == b && $2 == m { print $3, $4; found = 1; exit } END { exit !found }' "$MEMBERS" ||
    usage "$MEMBERS has no member $member of target group $backend"
}

arn() {
  "$AWS" elbv2 describe-target-groups --names "$backend" --query 'TargetGroups[0].TargetGroupArn' --output text ||
    unreachable "aws elbv2 describe-target-groups failed for $backend"
}

# Prints "TARGET-ID PORT STATE" of every target that the group has.
health() {
  "$AWS" elbv2 describe-target-health --target-group-arn "$1" \
    --query 'TargetHealthDescriptions[].[Target.Id,Target.Port,TargetHealth.State]' --output text ||
    unreachable "aws elbv2 describe-target-health failed for $backend"
}

change() {
  local where id port
  where=$(target)
  read -r id port <<<"$where"
  local group
  group=$(arn)
  "$AWS" elbv2 "$1" --target-group-arn "$group" --targets "Id=$id,Port=$port" >&2 || unreachable "aws elbv2 $1 failed for $member of $backend"
}

case $verb in
  backends)
    version=$("$AWS" --version | tr -cd 'A-Za-z0-9./ _-') || unreachable "aws --version failed"
    awk -v v="$version" '
      NF >= 4 && $1 !~ /^#/ && !seen[$1]++ { list = list (list == "" ? "" : ",") "\"" $1 "\"" }
      END { printf "{\"version\":\"%s\",\"backends\":[%s]}\n", v, list }' "$MEMBERS"
    ;;
  backend)
    group=$(arn)
    states=$(health "$group")
    # A member that the group does not have was deregistered, and is drained.
    awk -v b="$backend" -v states="$states" '
      BEGIN {
        n = split(states, lines, "\n")
        for (i = 1; i <= n; i++) { split(lines[i], f); state[f[1] " " f[2]] = f[3] }
      }
      NF >= 4 && $1 == b {
        s = state[$3 " " $4]
        known = s == "healthy" ? "ready" : (s == "" || s == "unused" || s == "draining") ? "draining" : "down"
        printf "%s{\"name\":\"%s\",\"address\":\"%s:%s\",\"state\":\"%s\",\"status\":\"%s\",\"in_flight\":%d}",
          (count++ ? "," : "{\"members\":["), $2, $3, $4, known, (s == "" ? "not registered" : s), s == "draining"
      }
      END { print count ? "]}" : "{\"members\":[]}" }' "$MEMBERS"
    ;;
  drain | maintenance)
    change deregister-targets
    ;;
  undrain)
    [ "$weight" = 100 ] || usage "an ALB has no weight for a single target: $weight cannot be set"
    known=$(target)
    [ "$address" = - ] || [ "$address" = "${known/ /:}" ] || usage "$MEMBERS has $member at ${known/ /:}, not at $address"
    change register-targets
    ;;
  remove)
    # Deregistered already: there is nothing else that could be deleted.
    ;;
  *)
    usage "unknown verb \"$verb\""
    ;;
esac
