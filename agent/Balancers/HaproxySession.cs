using System.Net.Sockets;
using System.Text;

namespace Decant.Agent.Balancers;

/// <summary>
/// One connection to one HAProxy process, in interactive mode (management guide, section 9.3, <c>prompt</c>): one command after the
/// other. It stays with its process over a reload, so that the requests that the old process still has in flight stay visible.
/// </summary>
internal sealed class HaproxySession : IDisposable
{
    private const int MaxAnswer = 16 << 20;
    private static readonly byte[] Prompt = "\n> "u8.ToArray();

    private readonly SemaphoreSlim turn = new(1, 1);
    private readonly Socket socket;
    private readonly TimeSpan answer;
    private readonly TimeProvider time;

    private HaproxySession(Socket socket, TimeSpan answer, TimeProvider time)
    {
        this.socket = socket;
        this.answer = answer;
        this.time = time;
    }

    /// <summary>It has failed once and will not work again.</summary>
    public bool IsBroken { get; private set; }

    /// <summary>Connects.</summary>
    /// <exception cref="HaproxyGoneException">Nobody answers, or not in time.</exception>
    public static async Task<HaproxySession> OpenAsync(string path, HaproxyTimings timings, TimeProvider time, CancellationToken cancellation)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        var session = new HaproxySession(socket, timings.Answer, time);
        try
        {
            using var deadline = new CancellationTokenSource(timings.Connect, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellation);
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), either.Token);
            await session.AskAsync("prompt", cancellation);
            return session;
        }
        catch (Exception exception)
        {
            session.Dispose();
            if (exception is OperationCanceledException && !cancellation.IsCancellationRequested)
                throw new HaproxyGoneException($"{path} takes no connection within {timings.Connect.TotalSeconds:0.#} s", HaproxyGoneException.IsItRunning);
            if (exception is SocketException failed) throw HaproxyGoneException.From(path, failed);
            throw;
        }
    }

    /// <summary>Sends one command and reads its whole answer, without the prompt.</summary>
    /// <exception cref="HaproxyGoneException">The connection broke, or the answer did not come in time.</exception>
    public async Task<string> AskAsync(string command, CancellationToken cancellation)
    {
        await turn.WaitAsync(cancellation);
        try
        {
            if (IsBroken) throw new HaproxyGoneException("its connection broke", HaproxyGoneException.IsItRunning);
            // Not the caller's token: others share the connection, and half an answer would be taken for the next one's.
            using var deadline = new CancellationTokenSource(answer, time);
            try
            {
                return await ExchangeAsync(command, deadline.Token);
            }
            catch (Exception exception)
            {
                IsBroken = true;
                throw exception switch
                {
                    OperationCanceledException => new HaproxyGoneException(
                        $"it did not answer \"{command}\" within {answer.TotalSeconds:0.#} s", "see whether the socket is HAProxy's stats socket and not another one", exception),
                    SocketException => new HaproxyGoneException($"its connection broke: {exception.Message}", HaproxyGoneException.IsItRunning, exception),
                    _ => exception,
                };
            }
        }
        finally
        {
            turn.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        IsBroken = true;
        socket.Dispose();
    }

    private async Task<string> ExchangeAsync(string command, CancellationToken cancellation)
    {
        for (var line = Encoding.ASCII.GetBytes(command + "\n").AsMemory(); line.Length > 0;)
            line = line[await socket.SendAsync(line, cancellation)..];

        var buffer = new byte[16 << 10];
        var length = 0;
        while (!buffer.AsSpan(0, length).EndsWith(Prompt))
        {
            if (length == buffer.Length) Array.Resize(ref buffer, buffer.Length * 2);
            var read = await socket.ReceiveAsync(buffer.AsMemory(length), cancellation);
            if (read == 0) throw new HaproxyGoneException("it closed the connection", HaproxyGoneException.IsItRunning);
            length += read;
            if (length > MaxAnswer) throw new HaproxyGoneException($"its answer to \"{command}\" is longer than {MaxAnswer >> 20} MiB", "this is not HAProxy's stats socket");
        }

        return Encoding.UTF8.GetString(buffer, 0, length - Prompt.Length);
    }
}
