defmodule Demo.Websocket do
  @moduledoc """
  An echo over RFC 6455, for what LiveView does to a balancer: a connection that never finishes by itself. Not counted as a request in
  flight; closed with 1012 (service restart) when the app stops, as Phoenix does.
  """

  alias Demo.Drain

  @guid "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
  @look_ms 200

  @doc "Takes the connection over until one of the two sides closes it."
  def serve(socket, key) do
    accept = :crypto.hash(:sha, key <> @guid) |> Base.encode64()

    :gen_tcp.send(socket, [
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n",
      "x-demo-version: #{Demo.version()}\r\nsec-websocket-accept: #{accept}\r\n\r\n"
    ])

    loop(socket)
    :gen_tcp.close(socket)
  end

  defp loop(socket) do
    case :gen_tcp.recv(socket, 2, @look_ms) do
      {:ok, <<_fin::4, opcode::4, 1::1, length::7>>} when length < 126 ->
        frame(socket, opcode, length)

      {:error, :timeout} ->
        if Drain.draining?(), do: send_frame(socket, 8, <<1012::16>>), else: loop(socket)

      _gone_or_beyond_an_echo ->
        :ok
    end
  end

  defp frame(socket, opcode, length) do
    with {:ok, <<mask::binary-4, masked::binary>>} <- :gen_tcp.recv(socket, 4 + length, 10_000) do
      payload = unmask(masked, mask)

      case opcode do
        1 -> send_frame(socket, 1, "#{Demo.version()} #{payload}") && loop(socket)
        8 -> send_frame(socket, 8, payload)
        9 -> send_frame(socket, 10, payload) && loop(socket)
        _ -> loop(socket)
      end
    end
  end

  defp send_frame(socket, opcode, payload) do
    :gen_tcp.send(socket, <<8::4, opcode::4, 0::1, byte_size(payload)::7, payload::binary>>)
    true
  end

  defp unmask("", _mask), do: ""

  defp unmask(data, mask) do
    size = byte_size(data)
    pad = :binary.copy(mask, div(size, 4) + 1) |> binary_part(0, size)
    :crypto.exor(data, pad)
  end
end
