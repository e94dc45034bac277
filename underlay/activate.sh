# Source this to use the pip ROS 2 environment: `source underlay/activate.sh` (bash or zsh).
_da3_root="$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")/.." && pwd)"
eval "$(python3 "$_da3_root/underlay/make_environment.py" --print-variables)"
export PATH="$_da3_root/.venv/bin:$PATH"
unset _da3_root
