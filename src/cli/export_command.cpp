#include "cli/export_command.hpp"

#include "cli/exit_code.hpp"
#include "cli/order_database.hpp"
#include "net/json_writer.hpp"
#include "net/rfc3339.hpp"

#include <fmt/core.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>

namespace firstcome::cli {

namespace {

using events::Order;

constexpr std::uint64_t say_every = 100'000;
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

struct ExportOptions {
  std::string database;
  std::string sale;
  std::string format = "csv";
  std::string out;
  bool bom = false;
};

std::string at(Instant instant) {
  const auto text = net::format_rfc3339(instant);
  return {text.data(), text.size()};
}

class CsvLine {
 public:
  /// One that people wrote.
  CsvLine& text(std::string_view value) {
    constexpr std::string_view formula = "=+-@\t\r";
    const bool harmful = !value.empty() && formula.find(value.front()) != std::string_view::npos;
    return cell(harmful ? "'" + std::string(value) : std::string(value));
  }
  CsvLine& cell(std::string_view value) {
    if (!line_.empty()) line_ += ',';
    if (value.find_first_of(",\"\r\n") == std::string_view::npos) {
      line_ += value;
      return *this;
    }
    line_ += '"';
    for (const char c : value) {
      if (c == '"') line_ += '"';
      line_ += c;
    }
    line_ += '"';
    return *this;
  }
  CsvLine& number(std::int64_t value) { return cell(std::to_string(value)); }
  std::string end() { return std::move(line_) + "\r\n"; }

 private:
  std::string line_;
};

void write_payment(net::JsonWriter& json, const std::optional<events::OrderPayment>& payment) {
  json.key("payment");
  if (!payment) return json.null();
  json.begin_object();
  json.key("id");
  json.string(payment->id);
  json.key("account_number");
  payment->account_number.empty() ? json.null() : json.string(payment->account_number);
  json.key("state");
  json.string(word(payment->state));
  json.end_object();
}

/// Standard output, or a file that appears when it is complete.
class Output {
 public:
  explicit Output(const std::string& path) : path_(path), part_(path + ".part") {
    file_ = path.empty() ? stdout : std::fopen(part_.c_str(), "wb");
  }
  ~Output() {
    if (path_.empty()) return;
    if (file_ != nullptr) std::fclose(file_);
    std::error_code none;
    std::filesystem::remove(part_, none);
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  bool is_open() const { return file_ != nullptr; }
  bool write(std::string_view text) { return std::fwrite(text.data(), 1, text.size(), file_) == text.size(); }
  bool finish() {
    if (std::fflush(file_) != 0) return false;
    return path_.empty() || std::rename(part_.c_str(), path_.c_str()) == 0;
  }

 private:
  const std::string path_;
  const std::string part_;
  std::FILE* file_ = nullptr;
};

int cannot_write(const ExportOptions& said) {
  fmt::print(stderr, "firstcome: cannot write {}: {}\n", said.out.empty() ? "standard output" : said.out,
             std::strerror(errno));
  return exit_unavailable;
}

int export_orders(const ExportOptions& said) {
  const auto store = open_orders(said.database);
  if (!store) return store.error();
  Output out(said.out);
  if (!out.is_open()) return cannot_write(said);
  const bool csv = said.format == "csv";
  bool written = !said.bom || out.write(byte_order_mark);
  written = written && (!csv || out.write(csv_header()));
  std::uint64_t count = 0;
  const auto done = (*store)->export_orders(said.sale, [&](const Order& order) {
    written = written && out.write(csv ? csv_line(order) : json_line(order));
    if (++count % say_every == 0) fmt::print(stderr, "firstcome: {} orders\n", count);
    return written;
  });
  if (!done) return troubled(done.error());
  if (count == 0) {
    const std::string of = said.sale.empty() ? "" : " of the sale '" + said.sale + "'";
    fmt::print(stderr, "firstcome: there are no orders{}\n", of);
  }
  return written && out.finish() ? exit_fine : cannot_write(said);
}

}  // namespace

std::string csv_header() {
  return "reservation,sale,number,customer,quantity,amount,currency,reference,state,confirmed_at,updated_at,payment_id,"
         "account_number,payment_state\r\n";
}

std::string csv_line(const Order& order) {
  CsvLine line;
  line.cell(order.reservation).cell(order.sale).number(static_cast<std::int64_t>(value(order.number)));
  line.text(order.customer).number(order.quantity).number(order.amount).cell(order.currency).text(order.reference);
  line.cell(word(order.state)).cell(order.confirmed_at ? at(*order.confirmed_at) : "").cell(at(order.updated_at));
  if (order.payment) {
    line.text(order.payment->id).text(order.payment->account_number).cell(word(order.payment->state));
  } else {
    line.cell("").cell("").cell("");
  }
  return line.end();
}

std::string json_line(const Order& order) {
  std::string line;
  net::JsonWriter json(line);
  const auto text = [&](const char* name, std::string_view value) {
    json.key(name);
    json.string(value);
  };
  const auto integer = [&](const char* name, std::int64_t value) {
    json.key(name);
    json.integer(value);
  };
  json.begin_object();
  text("reservation", order.reservation);
  text("sale", order.sale);
  integer("number", static_cast<std::int64_t>(value(order.number)));
  text("customer", order.customer);
  integer("quantity", order.quantity);
  integer("amount", order.amount);
  text("currency", order.currency);
  json.key("reference");
  order.reference.empty() ? json.null() : json.string(order.reference);
  text("state", word(order.state));
  json.key("confirmed_at");
  order.confirmed_at ? json.instant(*order.confirmed_at) : json.null();
  json.key("updated_at");
  json.instant(order.updated_at);
  write_payment(json, order.payment);
  json.end_object();
  return line + "\n";
}

void add_export_command(CLI::App& app, Run& run) {
  const auto options = std::make_shared<ExportOptions>();
  CLI::App* command = app.add_subcommand("export", "The orders of a sale, by number");
  add_database(*command, options->database);
  command->add_option("--sale", options->sale, "Of which sale")->required();
  command->add_option("--format", options->format, "csv or jsonl")
      ->check(CLI::IsMember({"csv", "jsonl"}))
      ->capture_default_str();
  command->add_option("--out", options->out, "A file; it appears when it is complete. Default: standard output");
  command->add_flag("--bom", options->bom, "Begin with a byte order mark: Excel then reads a CSV as UTF-8");
  command->callback([options, &run] {
    if (options->bom && options->format != "csv") throw CLI::ValidationError("--bom", "is for CSV only");
    run = [options] { return export_orders(*options); };
  });
}

}  // namespace firstcome::cli
