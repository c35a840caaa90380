// Small things that both servers' sessions need.
#pragma once

#include <firstcome/lock.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace firstcome::lock {

/// SHA-256 of a lock's name.
std::array<unsigned char, 32> sql_name_hash(std::string_view name);

/// The first line of what a library says, without its end.
std::string first_line(std::string_view text);

/// Waits until the socket is readable (or writable); false: `limit` came first.
enum class Ready : std::uint8_t { to_read, to_write };
bool wait_for_socket(int socket, Ready what, BootTime limit);

/// So that a peer that has vanished is noticed within half a minute.
void keep_alive(int socket);

}  // namespace firstcome::lock
