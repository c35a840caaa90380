#include "engine/embedded/embedded_harness.hpp"
#include "engine/engine_contract.hpp"

namespace firstcome::test {

INSTANTIATE_TYPED_TEST_SUITE_P(Embedded, EngineContract, EmbeddedHarness);

}  // namespace firstcome::test
