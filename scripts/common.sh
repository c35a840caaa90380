# Functions that the scripts of ./run share. To be sourced in the project's folder.
# shellcheck shell=bash

export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
if [[ -z ${CMAKE_CXX_COMPILER_LAUNCHER-} ]] && command -v ccache >/dev/null; then
  export CMAKE_CXX_COMPILER_LAUNCHER=ccache
fi

# How many things are done at once: the cores, but no more than there are 1.5 GB of memory for.
jobs_at_once() {
  local cores kilobytes
  cores=$(nproc)
  kilobytes=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
  local by_memory=$((kilobytes / 1572864))
  if ((by_memory < 1)); then by_memory=1; fi
  echo $((cores < by_memory ? cores : by_memory))
}

say() { printf '== %s\n' "$*" >&2; }

die() {
  printf 'run: %s\n' "$*" >&2
  exit 1
}

# Ends with 64, wrong usage.
misused() {
  printf 'run: %s\n' "$*" >&2
  exit 64
}

# build_preset PRESET [TARGET...]: configures what is not configured or what changed, and builds.
build_preset() {
  local preset=$1
  shift
  local log=build/$preset.configure.log
  mkdir -p build
  if ! cmake --preset "$preset" >"$log" 2>&1; then
    cat "$log" >&2
    die "cmake could not configure the preset '$preset'; is everything there? ./run deps all"
  fi
  if [[ $# -gt 0 ]]; then set -- --target "$@"; fi
  cmake --build --preset "$preset" -j "$(jobs_at_once)" "$@"
}

# minutes SECONDS: as 3:07
minutes() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }

# Sources that are formatted and looked at, all or (with `changed [BASE]`) what differs from BASE and what is new.
sources() {
  local patterns=('*.cpp' '*.hpp')
  if [[ ${1-all} == all ]]; then
    git ls-files --cached --others --exclude-standard -- "${patterns[@]}"
  else
    {
      git diff --name-only --diff-filter=d "${2:-HEAD}" -- "${patterns[@]}"
      git ls-files --others --exclude-standard -- "${patterns[@]}"
    } | sort -u
  fi | while IFS= read -r file; do
    # What git still lists may be gone from the folder.
    if [[ -f $file ]]; then printf '%s\n' "$file"; fi
  done
}
