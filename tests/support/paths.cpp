#include "support/paths.hpp"

namespace firstcome::testing {

std::filesystem::path project_folder() { return FIRSTCOME_SOURCE_DIR; }
std::filesystem::path build_folder() { return FIRSTCOME_BUILD_DIR; }
std::filesystem::path payment_provider() { return build_folder() / "tests" / "payment_provider"; }
std::filesystem::path built_program() { return build_folder() / "firstcome"; }

}  // namespace firstcome::testing
