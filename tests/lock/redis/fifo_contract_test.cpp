#include "lock/lock_contract.hpp"
#include "lock/redis/fifo.hpp"
#include "support/redis_server.hpp"

#include <memory>

namespace firstcome::lock::test {
namespace {

class FifoHarness final : public LockHarness {
 public:
  std::unique_ptr<LockSpace> make_space(const LockSettings& settings) override {
    auto space = make_fifo_lock_space(net::parse_redis_url("redis://" + server_.address()).value(), settings);
    if (!space) throw std::runtime_error(space.error());
    return std::move(*space);
  }
  bool take_away(const std::string& name) override {
    return server_.text({"DEL", "firstcome:lock:{" + name + "}"}) == "1";
  }

 private:
  firstcome::testing::RedisServer server_;
};

std::unique_ptr<LockHarness> make_harness() {
  if (!firstcome::testing::redis_is_installed()) {
    EXPECT_FALSE(firstcome::testing::all_is_required()) << "redis-server is missing; ./run deps installs it";
    return nullptr;
  }
  return std::make_unique<FifoHarness>();
}

INSTANTIATE_TEST_SUITE_P(Fifo, LockContract, ::testing::Values(LockContractOf{"Fifo", make_harness}),
                         name_of_implementation);

}  // namespace
}  // namespace firstcome::lock::test
