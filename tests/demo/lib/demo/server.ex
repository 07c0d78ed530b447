defmodule Demo.Server do
  @moduledoc """
  HTTP/1.1 on gen_tcp: a process for each connection, keep-alive, `Connection: close` while draining. Written here because Debian has
  no cowboy, and OTP's inets cannot be drained.
  """
  use GenServer

  alias Demo.Connection

  @acceptors 16

  def start_link(options), do: GenServer.start_link(__MODULE__, options, name: __MODULE__)

  @doc "No more connections from now on; those that are open go on."
  def close_listener do
    :gen_tcp.close(:persistent_term.get(__MODULE__))
    :ok
  end

  @impl true
  def init(options) do
    {:ok, address} = options[:bind] |> String.to_charlist() |> :inet.parse_address()

    case :gen_tcp.listen(options[:port], [
           :binary,
           ip: address,
           packet: :http_bin,
           active: false,
           reuseaddr: true,
           nodelay: true,
           backlog: 1024,
           packet_size: 16_384,
           send_timeout: 30_000,
           send_timeout_close: true
         ]) do
      {:ok, listener} ->
        :persistent_term.put(__MODULE__, listener)
        for _ <- 1..@acceptors, do: spawn_link(fn -> accept(listener) end)
        {:ok, listener}

      {:error, reason} ->
        {:stop, "cannot listen on port #{options[:port]}: #{:inet.format_error(reason)}"}
    end
  end

  defp accept(listener) do
    case :gen_tcp.accept(listener) do
      {:ok, socket} ->
        {:ok, pid} =
          Task.Supervisor.start_child(Demo.Connections, fn -> Connection.await_socket(socket) end)

        :ok = hand_over(socket, pid)
        accept(listener)

      {:error, :closed} ->
        :ok

      # The client hung up between its SYN and our accept.
      {:error, reason} when reason in [:econnaborted, :emfile, :enfile] ->
        accept(listener)
    end
  end

  defp hand_over(socket, pid) do
    case :gen_tcp.controlling_process(socket, pid) do
      :ok -> send(pid, :go)
      {:error, _} -> :gen_tcp.close(socket)
    end

    :ok
  end
end
