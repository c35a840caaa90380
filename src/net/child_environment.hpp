// The words and the environment of a server that this program starts for a purpose of its own.
#pragma once

#include <string>
#include <vector>

namespace firstcome::net {

/// Returns this process's environment without the settings in it: what FIRSTCOME_... variables say is meant for the
/// user's own servers. Passwords stay, because they say nothing by themselves. As NAME=value.
std::vector<std::string> environment_without_settings();

/// Arguments or an environment as exec takes them. Views `words`.
std::vector<char*> pointers_to(std::vector<std::string>& words);

}  // namespace firstcome::net
