// Which engine `firstcome serve` runs: what its options mean, and how it is opened.
#pragma once

#include "cli/serve_options.hpp"
#include "engine/driven_engine.hpp"
#include "engine/guarded/guarded_options.hpp"
#include "net/redis/url.hpp"
#include "payment/payment_service.hpp"

#include <firstcome/lock_space.hpp>

#include <expected>
#include <memory>
#include <variant>

namespace firstcome::cli {

struct EmbeddedChoice {};
using EngineChoice = std::variant<EmbeddedChoice, net::RedisUrl, engine::GuardedOptions>;

/// Opens nothing. Throws CLI::ValidationError, with a sentence, where the options are wrong or do not fit together.
EngineChoice choose_engine(const ServeOptions& options);

/// What engines need that is not of them.
struct EngineParts {
  engine::Deliveries deliveries = engine::Deliveries::none;
  std::shared_ptr<LockObserver> observer;  ///< of locks that the engine itself keeps; null: it keeps none
  payment::MakeGateway gateway;            ///< for those that charge within a request
};

/// Blocks. Failures: as those of the engines.
std::expected<std::unique_ptr<engine::DrivenEngine>, Failure> open_engine(const ServeOptions& options,
                                                                          const EngineChoice& choice,
                                                                          EngineParts parts);

}  // namespace firstcome::cli
