// Which two orders oversold a sale, told as what each of them did and when.
//
// Every order keeps what its seller read and when it asked for that, when it wrote, and, where that is known, when it
// heard of its commit. Whoever did not see a commit had asked before it was heard of: so told in the order of these
// times, no seller seems to read what it cannot have read. A seller that reads n and sells q takes the units
// n - q + 1 to n: where nothing comes between reading and writing, no two orders take the same. Two that do are the
// interleaving; of several, the one that took the last unit is told.
//
// Pure: no I/O.
#pragma once

#include "engine/guarded/inventory.hpp"

#include <optional>
#include <span>
#include <string>

namespace firstcome::engine {

/// One sentence, as "node a read 1 at 12:00:00.000123, node b read 1 at 12:00:00.000140; a wrote 0 at ..., b wrote 0 at
/// ...; a committed at ...; b committed at ...: both sold the last unit, orders 20 and 21". Nothing: no two orders took
/// the same units. Cost: each order is compared with the 256 that read before it.
std::optional<std::string> interleaving_of(std::span<const OrderRow> orders);

}  // namespace firstcome::engine
