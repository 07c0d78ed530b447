using System.Collections.Concurrent;
using System.Text;
using Tmds.DBus.Protocol;

namespace Decant.Agent.Supervision;

/// <summary>
/// The few calls and signals of systemd's manager that the agent needs (org.freedesktop.systemd1(5)), over the system bus. A connection that
/// breaks is made anew by the next call; who watches a unit is told that it broke.
/// </summary>
/// <param name="address">Of the bus; that of this host in production.</param>
internal sealed class SystemdBus(string address) : IDisposable
{
    /// <summary>What a job comes to when it has done what was asked.</summary>
    public const string Done = "done";

    private const string Systemd = "org.freedesktop.systemd1";
    private const string ManagerPath = "/org/freedesktop/systemd1";
    private const string Manager = "org.freedesktop.systemd1.Manager";
    private const string Properties = "org.freedesktop.DBus.Properties";

    private readonly SemaphoreSlim connecting = new(1, 1);
    private readonly ConcurrentDictionary<string, TaskCompletionSource<string>> jobs = new();
    private readonly ConcurrentDictionary<UnitWatch, bool> watches = new();
    private DBusConnection? connection;
    private int waiting;

    /// <summary>Told a unit for which a job has ended well, whoever asked for it.</summary>
    public event Action<string>? JobDone;

    /// <summary>The address of this host's system bus.</summary>
    public static string OfThisHost => DBusAddress.System ?? "unix:path=/run/dbus/system_bus_socket";

    /// <summary>Starts a unit and waits until its job has ended.</summary>
    /// <returns>The job's result: <see cref="Done"/>, <c>failed</c>, <c>dependency</c>, <c>timeout</c>, <c>canceled</c>, …</returns>
    /// <exception cref="DBusExceptionBase">It was refused, or the bus cannot be reached.</exception>
    public Task<string> StartAsync(string unit, CancellationToken cancellation) => JobAsync("StartUnit", unit, cancellation);

    /// <summary>Stops a unit and waits until its job has ended.</summary>
    /// <returns>As <see cref="StartAsync"/>.</returns>
    /// <exception cref="DBusExceptionBase">It was refused, or the bus cannot be reached.</exception>
    public Task<string> StopAsync(string unit, CancellationToken cancellation) => JobAsync("StopUnit", unit, cancellation);

    /// <summary>Sends a signal to a unit's main process, or to all of its processes.</summary>
    /// <exception cref="DBusExceptionBase">It was refused, the unit is not loaded, or the bus cannot be reached.</exception>
    public async Task KillAsync(string unit, bool all, int signal)
    {
        var bus = await ConnectedAsync();
        await bus.CallMethodAsync(Message(bus));

        MessageBuffer Message(DBusConnection on)
        {
            using var writer = Call(on, "KillUnit", "ssi");
            writer.WriteString(unit);
            writer.WriteString(all ? "all" : "main");
            writer.WriteInt32(signal);
            return writer.CreateMessage();
        }
    }

    /// <summary>Forgets that a unit has failed, so that nothing of it is kept.</summary>
    /// <exception cref="DBusExceptionBase">It was refused, the unit is not loaded, or the bus cannot be reached.</exception>
    public async Task ResetFailedAsync(string unit)
    {
        var bus = await ConnectedAsync();
        await bus.CallMethodAsync(Message(bus));

        MessageBuffer Message(DBusConnection on)
        {
            using var writer = Call(on, "ResetFailedUnit", "s");
            writer.WriteString(unit);
            return writer.CreateMessage();
        }
    }

    /// <summary>A unit as it is; one that is not loaded is loaded for it, and inactive.</summary>
    /// <exception cref="DBusExceptionBase">The bus cannot be reached.</exception>
    public async Task<UnitState> StateAsync(string unit)
    {
        var state = new UnitState();
        foreach (var part in UnitState.Interfaces) state = state.With(await PropertiesAsync(PathOf(unit), part));
        return state;
    }

    /// <summary>Whether the host shuts down or reboots.</summary>
    /// <exception cref="DBusExceptionBase">The bus cannot be reached.</exception>
    public async Task<bool> IsShuttingDownAsync()
    {
        var bus = await ConnectedAsync();
        return await bus.CallMethodAsync(Message(bus), static (message, _) => message.GetBodyReader().ReadVariantValue().GetString()) == "stopping";

        static MessageBuffer Message(DBusConnection on)
        {
            using var writer = on.GetMessageWriter();
            writer.WriteMethodCallHeader(Systemd, ManagerPath, Properties, "Get", "ss");
            writer.WriteString(Manager);
            writer.WriteString("SystemState");
            return writer.CreateMessage();
        }
    }

    /// <summary>Follows a unit from now on. Dispose it to stop.</summary>
    /// <exception cref="DBusExceptionBase">The bus cannot be reached.</exception>
    public async Task<UnitWatch> WatchAsync(string unit)
    {
        var bus = await ConnectedAsync();
        var watch = new UnitWatch(unit, gone => watches.TryRemove(gone, out _));
        // Among the connection's own before the first signal can come: a job for it must not be missed.
        watches[watch] = true;
        try
        {
            watch.Subscribed(await bus.AddMatchAsync(
                new MatchRule { Type = MessageType.Signal, Sender = Systemd, Path = PathOf(unit), Interface = Properties, Member = "PropertiesChanged" },
                static (message, _) =>
                {
                    var reader = message.GetBodyReader();
                    reader.ReadString();
                    return reader.ReadDictionaryOfStringToVariantValue();
                },
                notification =>
                {
                    if (notification.HasValue) watch.Changed(notification.Value);
                    else watch.Lost();
                },
                emitOnCapturedContext: false,
                ObserverFlags.EmitOnConnectionFailed | ObserverFlags.EmitOnConnectionClosed));
            return watch;
        }
        catch
        {
            watch.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        connection?.Dispose();
        connecting.Dispose();
    }

    /// <summary>The object of a unit: its name with everything but letters and digits as _xx (sd_bus_path_encode(3)).</summary>
    internal static string PathOf(string unit)
    {
        var path = new StringBuilder("/org/freedesktop/systemd1/unit/");
        for (var i = 0; i < unit.Length; i++)
        {
            var c = unit[i];
            if (char.IsAsciiLetter(c) || (char.IsAsciiDigit(c) && i > 0)) path.Append(c);
            else path.Append('_').Append(((int)c).ToString("x2", System.Globalization.CultureInfo.InvariantCulture));
        }

        return path.ToString();
    }

    private async Task<string> JobAsync(string method, string unit, CancellationToken cancellation)
    {
        var bus = await ConnectedAsync();
        // From here on results are kept: that of a job can come before its number does.
        Interlocked.Increment(ref waiting);
        try
        {
            var job = await bus.CallMethodAsync(Message(bus), static (message, _) => message.GetBodyReader().ReadObjectPathAsString());
            return await ResultOf(job).Task.WaitAsync(cancellation);
        }
        finally
        {
            if (Interlocked.Decrement(ref waiting) == 0) jobs.Clear();
        }

        MessageBuffer Message(DBusConnection on)
        {
            using var writer = Call(on, method, "ss");
            writer.WriteString(unit);
            writer.WriteString("replace");
            return writer.CreateMessage();
        }
    }

    private async Task<Dictionary<string, VariantValue>> PropertiesAsync(string path, string part)
    {
        var bus = await ConnectedAsync();
        return await bus.CallMethodAsync(Message(bus), static (message, _) => message.GetBodyReader().ReadDictionaryOfStringToVariantValue());

        MessageBuffer Message(DBusConnection on)
        {
            using var writer = on.GetMessageWriter();
            writer.WriteMethodCallHeader(Systemd, path, Properties, "GetAll", "s");
            writer.WriteString(part);
            return writer.CreateMessage();
        }
    }

    private async Task<DBusConnection> ConnectedAsync()
    {
        await connecting.WaitAsync();
        try
        {
            if (connection is { } present && !present.DisconnectedAsync().IsCompleted) return present;
            connection?.Dispose();
            connection = null;
            var fresh = new DBusConnection(address);
            try
            {
                await fresh.ConnectAsync();
                await fresh.AddMatchAsync(
                    Signal("JobRemoved"),
                    static (message, _) =>
                    {
                        var reader = message.GetBodyReader();
                        reader.ReadUInt32();
                        return (Job: reader.ReadObjectPathAsString(), Unit: reader.ReadString(), Result: reader.ReadString());
                    },
                    notification =>
                    {
                        if (notification.HasValue) JobRemoved(notification.Value.Job, notification.Value.Unit, notification.Value.Result);
                        else ConnectionLost();
                    },
                    emitOnCapturedContext: false,
                    ObserverFlags.EmitOnConnectionFailed | ObserverFlags.EmitOnConnectionClosed);
                await fresh.AddMatchAsync(
                    Signal("JobNew"),
                    static (message, _) =>
                    {
                        var reader = message.GetBodyReader();
                        reader.ReadUInt32();
                        reader.ReadObjectPathAsString();
                        return reader.ReadString();
                    },
                    notification =>
                    {
                        if (notification.HasValue) JobBegan(notification.Value);
                    },
                    emitOnCapturedContext: false);
                // Without it systemd sends no signals.
                await fresh.CallMethodAsync(Subscription(fresh));
                connection = fresh;
                return fresh;
            }
            catch
            {
                fresh.Dispose();
                throw;
            }
        }
        finally
        {
            connecting.Release();
        }

        static MessageBuffer Subscription(DBusConnection on)
        {
            using var writer = Call(on, "Subscribe", null);
            return writer.CreateMessage();
        }
    }

    private static MatchRule Signal(string member) => new() { Type = MessageType.Signal, Sender = Systemd, Path = ManagerPath, Interface = Manager, Member = member };

    private static MessageWriter Call(DBusConnection on, string method, string? signature)
    {
        var writer = on.GetMessageWriter();
        writer.WriteMethodCallHeader(Systemd, ManagerPath, Manager, method, signature);
        return writer;
    }

    private TaskCompletionSource<string> ResultOf(string job)
        => jobs.GetOrAdd(job, _ => new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously));

    private void JobBegan(string unit)
    {
        foreach (var watch in watches.Keys)
        {
            if (watch.Unit == unit) watch.JobBegan();
        }
    }

    private void JobRemoved(string job, string unit, string result)
    {
        if (Volatile.Read(ref waiting) > 0) ResultOf(job).TrySetResult(result);
        if (result == Done) JobDone?.Invoke(unit);
    }

    /// <summary>The results of jobs will not come any more.</summary>
    private void ConnectionLost()
    {
        foreach (var job in jobs.Values) job.TrySetResult("unknown: the connection to the bus broke");
    }
}
