defmodule Demo.Connection do
  @moduledoc "One connection: reads requests and answers them one after the other."

  alias Demo.{Drain, Routes, Trouble, Websocket}

  @idle_ms 75_000

  def await_socket(socket) do
    receive do
      :go -> serve(socket)
    after
      5_000 -> :gen_tcp.close(socket)
    end
  end

  defp serve(socket) do
    :ok = :inet.setopts(socket, packet: :http_bin)

    case :gen_tcp.recv(socket, 0, @idle_ms) do
      {:ok, {:http_request, method, target, version}} ->
        case Drain.counted(fn -> request(socket, method, target, version) end) do
          :keep_alive -> serve(socket)
          {:websocket, key} -> Websocket.serve(socket, key)
          :close -> :gen_tcp.close(socket)
        end

      {:ok, {:http_error, _}} ->
        :gen_tcp.send(
          socket,
          "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        )

        :gen_tcp.close(socket)

      _closed_or_idle ->
        :gen_tcp.close(socket)
    end
  end

  defp request(socket, method, target, version) do
    with {:ok, headers} <- headers(socket, %{}),
         :ok <- :inet.setopts(socket, packet: :raw),
         {:ok, body} <- body(socket, headers) do
      close? = Drain.draining?() or headers["connection"] == "close" or version == {1, 0}
      {path, query} = path_and_query(target)

      if path == "/socket" and headers["upgrade"] == "websocket" do
        {:websocket, headers["sec-websocket-key"]}
      else
        answer =
          Trouble.instead_of(path, fn -> Routes.handle(to_string(method), path, query, body) end)

        answer(socket, answer, close?)
      end
    else
      {:error, _} -> :close
    end
  end

  defp headers(socket, found) do
    case :gen_tcp.recv(socket, 0, 10_000) do
      {:ok, {:http_header, _, name, _, value}} when map_size(found) < 100 ->
        name = name |> to_string() |> String.downcase()
        value = if name == "sec-websocket-key", do: value, else: String.downcase(value)
        headers(socket, Map.put(found, name, value))

      {:ok, :http_eoh} ->
        {:ok, found}

      {:ok, _} ->
        {:error, :bad_header}

      error ->
        error
    end
  end

  # The body is counted and hashed, not kept.
  defp body(socket, %{"transfer-encoding" => "chunked"}),
    do: chunks(socket, 0, :crypto.hash_init(:sha256))

  defp body(socket, %{"content-length" => length}) do
    case Integer.parse(length) do
      {bytes, ""} when bytes >= 0 -> exactly(socket, bytes, 0, :crypto.hash_init(:sha256))
      _ -> {:error, :bad_length}
    end
  end

  defp body(_socket, _headers), do: {:ok, {0, :crypto.hash_final(:crypto.hash_init(:sha256))}}

  defp exactly(_socket, 0, size, hash), do: {:ok, {size, :crypto.hash_final(hash)}}

  defp exactly(socket, left, size, hash) do
    with {:ok, data} <- :gen_tcp.recv(socket, min(left, 65_536), 30_000) do
      exactly(
        socket,
        left - byte_size(data),
        size + byte_size(data),
        :crypto.hash_update(hash, data)
      )
    end
  end

  defp chunks(socket, size, hash) do
    :inet.setopts(socket, packet: :line)

    with {:ok, line} <- :gen_tcp.recv(socket, 0, 30_000),
         {length, _} <- Integer.parse(line, 16),
         :ok <- :inet.setopts(socket, packet: :raw) do
      if length == 0 do
        with {:ok, _} <- :gen_tcp.recv(socket, 2, 30_000),
             do: {:ok, {size, :crypto.hash_final(hash)}}
      else
        with {:ok, data} <- :gen_tcp.recv(socket, length, 30_000),
             {:ok, _} <- :gen_tcp.recv(socket, 2, 30_000) do
          chunks(socket, size + length, :crypto.hash_update(hash, data))
        end
      end
    else
      :error -> {:error, :bad_chunk}
      error -> error
    end
  end

  defp answer(socket, {:stream, content_type, chunks}, close?) do
    :gen_tcp.send(socket, [head(200, content_type, close?), "transfer-encoding: chunked\r\n\r\n"])

    sent =
      Enum.reduce_while(chunks, :ok, fn chunk, _ ->
        case :gen_tcp.send(socket, [
               Integer.to_string(byte_size(chunk), 16),
               "\r\n",
               chunk,
               "\r\n"
             ]) do
          :ok -> {:cont, :ok}
          error -> {:halt, error}
        end
      end)

    if sent == :ok, do: :gen_tcp.send(socket, "0\r\n\r\n") |> next(close?), else: :close
  end

  defp answer(socket, {status, content_type, body}, close?) do
    body = IO.iodata_to_binary(body)

    sent =
      :gen_tcp.send(socket, [
        head(status, content_type, close?),
        "content-length: #{byte_size(body)}\r\n\r\n",
        body
      ])

    next(sent, close?)
  end

  defp next(:ok, false), do: :keep_alive
  defp next(_, _), do: :close

  defp head(status, content_type, close?) do
    [
      "HTTP/1.1 #{status} #{reason(status)}\r\n",
      "content-type: #{content_type}\r\n",
      "x-demo-version: #{Demo.version()}\r\n",
      "x-demo-node: #{node()}\r\n",
      if(close?, do: "connection: close\r\n", else: "")
    ]
  end

  defp reason(200), do: "OK"
  defp reason(404), do: "Not Found"
  defp reason(500), do: "Internal Server Error"
  defp reason(503), do: "Service Unavailable"

  defp path_and_query({:abs_path, target}) do
    case String.split(target, "?", parts: 2) do
      [path, query] -> {path, URI.decode_query(query)}
      [path] -> {path, %{}}
    end
  end

  defp path_and_query(_), do: {"", %{}}
end
