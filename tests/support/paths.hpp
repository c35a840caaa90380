// The folders and programs that the build knows and tests need. Only paths.cpp is compiled with their names, so that a
// compiler cache serves every other test in whatever folder the project lies.
#pragma once

#include <filesystem>

namespace firstcome::testing {

/// Returns the project's folder, with its sources.
std::filesystem::path project_folder();
/// Returns the folder of this build, where tests may keep what they fetched for the next run.
std::filesystem::path build_folder();
/// Returns the program of the payment provider that tests start as a process.
std::filesystem::path payment_provider();
/// Returns the firstcome program that was built with the tests.
std::filesystem::path built_program();

}  // namespace firstcome::testing
