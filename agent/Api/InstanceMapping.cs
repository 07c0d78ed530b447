using Decant.Agent.Elixir;
using Decant.Agent.Health;
using Decant.Agent.Instances;
using Decant.Agent.Supervision;
using Decant.Names;
using Google.Protobuf.WellKnownTypes;

namespace Decant.Agent.Api;

/// <summary>Instances, slots and health checks as the contract has them: the one place that knows both.</summary>
internal static class InstanceMapping
{
    private const int MaxExpression = 4 * 1024;
    private const int MaxTailLine = 4 * 1024;
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    /// <summary>Reads app and slot.</summary>
    public static InstanceKey ReadKey(RequestReader reader, string app, string slot) => new(
        reader.Required<AppName>("app", app, AppName.TryParse), reader.Required<SlotName>("slot", slot, SlotName.TryParse));

    /// <summary>Reads a slot's settings; required.</summary>
    public static SlotSpec ReadSpec(RequestReader reader, V1.SlotSpec? spec, InstanceKey key)
    {
        if (spec is null)
        {
            reader.Wrong("spec", "spec is missing");
            return null!;
        }

        if (spec.Port is 0 or > 65535) reader.Wrong("spec.port", $"{spec.Port} is not a port, 1 to 65535");
        var node = reader.Required<NodeName>(
            "spec.node", spec.Node.Length > 0 ? spec.Node : $"{key.App?.Value ?? "app"}-{key.Slot?.Value ?? "slot"}@127.0.0.1", NodeName.TryParse);
        foreach (var (name, value) in spec.Env)
        {
            if (value.Contains('\0', StringComparison.Ordinal)) reader.Wrong($"spec.env[{name}]", "its value has a NUL character");
            if (!EnvFile.IsName(name)) reader.Wrong($"spec.env[{name}]", "not a name: letters, digits and '_', not beginning with a digit");
            else if (SlotEnvironment.IsReserved(name)) reader.Wrong($"spec.env[{name}]", "set by the agent itself; use spec.port and spec.node");
        }

        return new SlotSpec((int)spec.Port, node, !spec.NoDistribution, new Dictionary<string, string>(spec.Env));
    }

    /// <summary>Reads a health check; null when there is none.</summary>
    public static HealthCheck? ReadHealth(RequestReader reader, V1.HealthCheck? check)
    {
        if (check is null) return null;
        HealthProbe? probe = null;
        switch (check.CheckCase)
        {
            case V1.HealthCheck.CheckOneofCase.Http:
                if (!IsPath(check.Http.Path)) reader.Wrong("health.http.path", "must begin with '/' and have printable ASCII without spaces, at most 2000 characters");
                if (!check.Http.Host.All(IsOfHost)) reader.Wrong("health.http.host", "must have only letters, digits and any of .-_:[]");
                if (check.Http.Status is not 0 and (< 100 or > 599)) reader.Wrong("health.http.status", $"{check.Http.Status} is not a status, 100 to 599");
                probe = new HealthProbe.Http(
                    check.Http.Path, check.Http.Status == 0 ? null : (int)check.Http.Status, Text(check.Http.BodyContains), Text(check.Http.Host));
                break;
            case V1.HealthCheck.CheckOneofCase.Tcp:
                probe = new HealthProbe.Tcp();
                break;
            case V1.HealthCheck.CheckOneofCase.Rpc:
                CheckExpression(reader, "health.rpc.expression", check.Rpc.Expression, MaxExpression);
                probe = new HealthProbe.Rpc(check.Rpc.Expression);
                break;
            default:
                reader.Wrong("health", "one of http, tcp and rpc is required");
                break;
        }

        var timeout = probe is HealthProbe.Rpc ? TimeSpan.FromSeconds(5) : TimeSpan.FromSeconds(2);
        return new HealthCheck(
            probe!,
            reader.Duration("health.interval", check.Interval, TimeSpan.FromSeconds(1), Shortest, Hour),
            reader.Duration("health.start_interval", check.StartInterval, TimeSpan.FromMilliseconds(100), Shortest, Hour),
            reader.Duration("health.timeout", check.Timeout, timeout, Shortest, Hour),
            check.Rise == 0 ? 2 : (int)Math.Min(check.Rise, 1000),
            check.Fall == 0 ? 3 : (int)Math.Min(check.Fall, 1000));
    }

    /// <summary>Notes that an expression is empty or too long.</summary>
    public static void CheckExpression(RequestReader reader, string field, string expression, int max)
    {
        if (expression.Length == 0) reader.Wrong(field, "an Elixir expression is required");
        else if (expression.Length > max) reader.Wrong(field, $"has {expression.Length} characters, at most {max} are allowed");
        else if (expression.Contains('\0', StringComparison.Ordinal)) reader.Wrong(field, "has a NUL character");
    }

    /// <summary>A slot as it is.</summary>
    public static V1.Instance ToMessage(InstanceSnapshot snapshot)
    {
        var record = snapshot.Record;
        var message = new V1.Instance
        {
            App = record.Key.App.Value,
            Slot = record.Key.Slot.Value,
            State = ToMessage(snapshot.State),
            Release = OperationMapping.ToMessage(record.Release),
            Spec = new V1.SlotSpec
            {
                Port = (uint)record.Spec.Port,
                Node = record.Spec.Node.ToString(),
                Env = { record.Spec.Environment.ToDictionary(v => v.Key, v => v.Value) },
                NoDistribution = !record.Spec.Distribution,
            },
            Restarts = (uint)record.Restarts,
            Adopted = snapshot.AdoptedAt is not null,
            StoppedByHand = record.StoppedByHand,
            RestartAt = Time(snapshot.RestartAt),
            AdoptedAt = Time(snapshot.AdoptedAt),
            RetireAt = Time(record.Retirement?.At),
            StartedAt = Time(snapshot.StartedAt),
            LastExit = record.LastExit is { } exit ? ToMessage(exit) : null,
            Health = snapshot.Health is { } health ? OperationMapping.ToMessage(health) : null,
        };
        if (snapshot.Process is { } process)
        {
            message.Pid = (uint)process.Pid;
            message.StartTicks = (ulong)process.StartTicks;
            message.ResidentBytes = (ulong)process.ResidentBytes;
        }

        return message;
    }

    /// <summary>A line of output.</summary>
    public static V1.LogLine ToMessage(LoggedLine line, long lost) => new()
    {
        At = Timestamp.FromDateTimeOffset(line.At),
        Text = line.Text,
        IsError = line.IsError,
        Dropped = (uint)Math.Min(lost, uint.MaxValue),
    };

    private static V1.ExitReport ToMessage(ExitReport exit)
    {
        var message = new V1.ExitReport
        {
            At = Timestamp.FromDateTimeOffset(exit.At),
            Tail = { exit.Tail.Select(Cut) },
            CrashDump = exit.CrashDump ?? "",
        };
        if (exit.ExitCode is { } code) message.ExitCode = code;
        return message;
    }

    private static V1.InstanceState ToMessage(InstanceState state) => state switch
    {
        InstanceState.Stopped => V1.InstanceState.Stopped,
        InstanceState.Starting => V1.InstanceState.Starting,
        InstanceState.Running => V1.InstanceState.Running,
        InstanceState.Unhealthy => V1.InstanceState.Unhealthy,
        InstanceState.Stopping => V1.InstanceState.Stopping,
        InstanceState.BackingOff => V1.InstanceState.BackingOff,
        _ => throw new ArgumentOutOfRangeException(nameof(state), state, null),
    };

    private static Timestamp? Time(DateTimeOffset? time) => time is { } set ? Timestamp.FromDateTimeOffset(set) : null;

    private static bool IsPath(string path) => path.StartsWith('/') && path.Length <= 2000 && path.All(c => c is > ' ' and <= '~');

    private static bool IsOfHost(char c) => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_' or ':' or '[' or ']';

    /// <summary>Fifty lines as long as a log's may be would be more than a gRPC client takes in one message.</summary>
    private static string Cut(string line) => line.Length <= MaxTailLine ? line : $"{line[..MaxTailLine]}…";

    private static string? Text(string text) => text.Length == 0 ? null : text;
}
