// Loads the plug-in and takes a lock through it: host PLUGIN URL
#include <dlfcn.h>

#include <cstdint>
#include <cstdio>

int main(int argc, char** argv) {
  if (argc != 3) return 64;
  void* const plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (plugin == nullptr) return std::fprintf(stderr, "%s\n", dlerror()), 1;
  const auto locked_once = reinterpret_cast<std::uint64_t (*)(const char*)>(dlsym(plugin, "locked_once"));
  if (locked_once == nullptr) return std::fprintf(stderr, "%s\n", dlerror()), 1;
  return locked_once(argv[2]) == 0 ? 1 : 0;
}
