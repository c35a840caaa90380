#include "cli/demo_sales.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace firstcome::cli {
namespace {

constexpr std::chrono::seconds request_timeout{10};
constexpr unsigned created = 201;
constexpr unsigned not_found = 404;

/// A tenth of the crowd, so that nine of ten go away with nothing however large it is.
std::uint32_t stock_for(std::uint32_t customers) { return std::max(customers / 10, 1U); }

DemoSale ticket(std::uint32_t customers, const std::string& id) {
  DemoSale sale;
  sale.about = "a ticket: at most 2 each, held for 2 s until the customer pays; who finds none left stands by";
  sale.body = fmt::format(
      R"({{"id":"{}","name":"Concert ticket","kind":"ticket","stock":{},"unit_price":99000,"limit_per_customer":2,)"
      R"("hold_ms":2000,"standby":true,"payment":"client"}})",
      id, stock_for(customers));
  sale.crowd.sale = id;
  sale.crowd.double_click = 0.2;
  sale.crowd.without_key = 0.25;
  sale.crowd.abandon = 0.2;
  sale.crowd.units_each = {1, 2};
  return sale;
}

DemoSale coupon(const std::string& id) {
  DemoSale sale;
  sale.about = "a coupon: 100 of them, one each, confirmed at once";
  sale.body = fmt::format(R"({{"id":"{}","name":"Half-price coupon","kind":"coupon","stock":100}})", id);
  sale.crowd.sale = id;
  sale.crowd.double_click = 0.2;
  sale.crowd.without_key = 0.5;
  return sale;
}

DemoSale product(std::uint32_t customers, const std::string& id) {
  DemoSale sale;
  sale.about = "a product: the shop charges by itself; 20 % fail before and 20 % during payment, and are given back";
  sale.body = fmt::format(
      R"({{"id":"{}","name":"Limited edition","kind":"product","stock":{},"unit_price":250000,"hold_ms":2000,)"
      R"("payment":"auto"}})",
      id, stock_for(customers));
  sale.crowd.sale = id;
  sale.crowd.double_click = 0.2;
  return sale;
}

DemoSale queued_product(std::uint32_t customers, const std::string& id) {
  std::uint32_t stock = stock_for(customers);
  DemoSale sale;
  sale.about = "the same product through the waiting queue, which lets a fifth of the stock in each second";
  sale.body = fmt::format(
      R"({{"id":"{}","name":"Limited edition, queued","kind":"product","stock":{},"unit_price":250000,"hold_ms":2000,)"
      R"("payment":"auto","queue":{{"admit_per_tick":{},"tick_ms":1000}}}})",
      id, stock, std::max(stock / 5, 1U));
  sale.crowd.sale = id;
  sale.crowd.double_click = 0.2;
  return sale;
}

net::ClientResponse asked(const net::HttpOrigin& origin, const net::ClientRequest& request) {
  net::ClientResult result = net::fetch(origin, request, request_timeout);
  if (!result) throw std::runtime_error("the server does not answer: " + result.error().detail);
  return std::move(*result);
}

bool is_free(const net::HttpOrigin& origin, const DemoSale& sale) {
  net::ClientRequest request;
  request.target = "/v1/sales/" + sale.crowd.sale;
  return asked(origin, request).status == not_found;
}

/// The first of "", "-2", "-3" ... under which none of the sales exists.
std::string free_suffix(const net::HttpOrigin& origin) {
  for (int run = 1;; ++run) {
    std::string suffix = run == 1 ? "" : fmt::format("-{}", run);
    auto sales = demo_sales(1, suffix);
    if (std::ranges::all_of(sales, [&](const DemoSale& sale) { return is_free(origin, sale); })) return suffix;
  }
}

}  // namespace

std::vector<DemoSale> demo_sales(std::uint32_t customers, const std::string& suffix) {
  std::vector<DemoSale> sales{ticket(customers, "demo-ticket" + suffix), coupon("demo-coupon" + suffix),
                              product(customers, "demo-product" + suffix),
                              queued_product(customers, "demo-queue" + suffix)};
  for (DemoSale& sale : sales) sale.crowd.customers = customers;
  return sales;
}

std::vector<DemoSale> create_demo_sales(const net::HttpOrigin& origin, std::uint32_t customers) {
  auto sales = demo_sales(customers, free_suffix(origin));
  for (DemoSale& sale : sales) {
    net::ClientRequest request;
    request.method = net::Method::post;
    request.target = "/v1/sales";
    request.body = sale.body;
    net::ClientResponse answer = asked(origin, request);
    if (answer.status != created)
      throw std::runtime_error(
          fmt::format("sale {} was not created: {} {}", sale.crowd.sale, answer.status, answer.body));
    sale.crowd.targets = {origin};
  }
  return sales;
}

}  // namespace firstcome::cli
