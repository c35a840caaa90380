// URLs without what must not be shown. Pure.
#pragma once

#include <string>

namespace firstcome::net {

/// Returns the URL without `user:password@` and without parameters that are named after a password.
std::string without_credentials(const std::string& url);

}  // namespace firstcome::net
