#include "engine/engine_contract.hpp"
#include "engine/redis/redis_harness.hpp"

namespace firstcome::test {

INSTANTIATE_TYPED_TEST_SUITE_P(Redis, EngineContract, RedisHarness);

}  // namespace firstcome::test
