import Config

# Evaluated on every start, and by `bin/demo eval`: what is missing or wrong is found before anything is stopped.
port =
  case Integer.parse(System.fetch_env!("PORT")) do
    {port, ""} when port in 1..65_535 -> port
    _ -> raise "PORT is not a port: #{inspect(System.get_env("PORT"))}"
  end

for name <- String.split(System.get_env("DEMO_REQUIRE", ""), ",", trim: true) do
  System.fetch_env!(name)
end

config :demo,
  port: port,
  bind: System.get_env("BIND", "127.0.0.1")
