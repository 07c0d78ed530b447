using System.Buffers.Binary;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Decant.Agent.Elixir;
using Decant.Errors;
using Grpc.Core;
using Tmds.DBus.Protocol;

namespace Decant.Agent.Supervision;

/// <summary>
/// One command of a release as a unit of its own (decant-task@.service). The unit's process asks the agent for the order and gives it its output,
/// over a socket that only that process is answered at.
/// </summary>
internal sealed class SystemdTask(SystemdBus bus, CommandOrder order, TimeProvider time)
{
    private const int SigTerm = 15;
    private const int SigKill = 9;
    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan TermGrace = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan KillLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan PipeGrace = TimeSpan.FromSeconds(1);

    private readonly string instance = UnitNames.Task(
        order.Slot ?? throw new ArgumentException("a command of a release runs in a slot", nameof(order)), BitConverter.ToInt64(RandomNumberGenerator.GetBytes(8)));

    /// <summary>Runs it to its end.</summary>
    public async Task<CommandEnd> RunAsync(CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var began = time.GetTimestamp();
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(UnitProgram.SocketOf(instance));
        listener.Listen();
        try
        {
            using var watch = await bus.WatchAsync(UnitNames.OfTask(instance));
            if (await bus.StartAsync(watch.Unit, CancellationToken.None) is var result and not SystemdBus.Done) throw await FailedAsync(watch.Unit, result);
            watch.Arm();
            watch.Asked(await bus.StateAsync(watch.Unit));
            return await FollowAsync(listener, watch, began, cancellation);
        }
        catch (DBusExceptionBase exception)
        {
            throw Failed($"systemd did not take the order for {UnitNames.OfTask(instance)}: {exception.Message}");
        }
    }

    private async Task<CommandEnd> FollowAsync(Socket listener, UnitWatch watch, long began, CancellationToken cancellation)
    {
        using var reading = new CancellationTokenSource();
        var output = new CommandOutput(order.Line);
        bool ended;
        Task readers = Task.CompletedTask;
        try
        {
            if (ProcessIdentity.Of(watch.State.MainPid) is { } leader) order.Started?.Invoke(leader);
            readers = await HandOverAsync(listener, watch, output, reading.Token);
            ended = await EndsWithinAsync(watch.Over, order.Timeout - time.GetElapsedTime(began), cancellation);
        }
        catch
        {
            // Nobody could follow it, so it must not go on.
            await EndAsync(watch, SigKill, KillLimit);
            throw;
        }

        if (!ended && !await EndAsync(watch, SigTerm, TermGrace)) await EndAsync(watch, SigKill, KillLimit);
        // A grandchild that went on would have been ended with the unit; a stream that is still open is not waited for.
        if (!await EndsWithinAsync(readers, PipeGrace, CancellationToken.None)) await reading.CancelAsync();
        // One that ended before it was cancelled has ended: a migration that is done must not be called cancelled.
        if (!ended) cancellation.ThrowIfCancellationRequested();
        return new CommandEnd(ended ? watch.State.ExitCode : null, time.GetElapsedTime(began), output.Tail());
    }

    /// <summary>Answers the process: gives it the order, and takes its output.</summary>
    /// <returns>The reading of both streams.</returns>
    private async Task<Task> HandOverAsync(Socket listener, UnitWatch watch, CommandOutput output, CancellationToken reading)
    {
        var readers = new List<Task>();
        using var limit = new CancellationTokenSource(ConnectLimit, time);
        _ = watch.Over.ContinueWith(_ => Cancel(limit), TaskScheduler.Default);
        try
        {
            while (readers.Count < UnitProgram.Streams.Length)
            {
                var connection = await listener.AcceptAsync(limit.Token);
                var kind = new byte[1];
                if (PeerOf(connection) != watch.State.MainPid || await connection.ReceiveAsync(kind, limit.Token) != 1)
                {
                    connection.Dispose();
                    continue;
                }

                if (kind[0] == UnitProgram.Order) await GiveOrderAsync(connection, limit.Token);
                else readers.Add(ReadAsync(connection, isError: kind[0] == UnitProgram.Streams[1], output, reading));
            }
        }
        catch (OperationCanceledException)
        {
            throw await FailedAsync(watch.Unit, watch.Over.IsCompleted ? "its process ended" : "its process did not ask for the order");
        }

        return Task.WhenAll(readers);
    }

    private async Task GiveOrderAsync(Socket connection, CancellationToken cancellation)
    {
        await using var stream = new NetworkStream(connection, ownsSocket: true);
        var told = new UnitOrder
        {
            Program = order.Program,
            Arguments = order.Arguments,
            Environment = new Dictionary<string, string>(order.Environment),
            Directory = order.Directory,
            Made = [.. new[] { order.Environment.GetValueOrDefault("TMPDIR"), Path.Combine(order.Directory, "crash") }.OfType<string>()],
            LowPriority = order.LowPriority,
        };
        await JsonSerializer.SerializeAsync(stream, told, UnitJson.Default.UnitOrder, cancellation);
    }

    private static async Task ReadAsync(Socket connection, bool isError, CommandOutput output, CancellationToken reading)
    {
        using var reader = new StreamReader(new NetworkStream(connection, ownsSocket: true), Encoding.UTF8);
        await output.ReadAsync(reader, isError, reading);
    }

    /// <summary>The process at the other end: struct ucred of SO_PEERCRED (unix(7)) begins with its number.</summary>
    private static int PeerOf(Socket connection)
    {
        const int SolSocket = 1;
        const int SoPeerCred = 17;
        var credentials = new byte[12];
        connection.GetRawSocketOption(SolSocket, SoPeerCred, credentials);
        return BinaryPrimitives.ReadInt32LittleEndian(credentials);
    }

    private async Task<bool> EndAsync(UnitWatch watch, int signal, TimeSpan limit)
    {
        try
        {
            await bus.KillAsync(watch.Unit, all: true, signal);
        }
        catch (DBusErrorReplyException) when (watch.Over.IsCompleted)
        {
            // It ended in between.
        }

        return await EndsWithinAsync(watch.Over, limit, CancellationToken.None);
    }

    private async Task<bool> EndsWithinAsync(Task task, TimeSpan limit, CancellationToken cancellation)
    {
        try
        {
            await task.WaitAsync(limit > TimeSpan.Zero ? limit : TimeSpan.Zero, time, cancellation);
            return true;
        }
        catch (Exception exception) when (exception is TimeoutException or OperationCanceledException)
        {
            return false;
        }
    }

    private static void Cancel(CancellationTokenSource source)
    {
        try
        {
            source.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // Everything was handed over.
        }
    }

    private static async Task<OperatorException> FailedAsync(string unit, string what)
        => Failed($"{unit}: {what}; {await UnitJournal.LastWordsAsync(unit)}");

    private static OperatorException Failed(string why) => new(new OperatorError(
        StatusCode.Aborted, "COMMAND_FAILED", $"the release's command could not be started: {why}", "nothing of it runs; the host's journal has more"));
}
