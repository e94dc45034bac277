# Source this to use the pip ROS 2 environment: `source underlay/activate.sh` (bash or zsh).
_da3_root="$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")/.." && pwd)"
[ -d "$_da3_root/install" ] || echo "da3_ros: nothing is built yet: run \`make environment\` first" >&2
eval "$(python3 "$_da3_root/underlay/make_environment.py" --print-variables)"
export PATH="$_da3_root/.venv/bin:$PATH"
unset _da3_root
