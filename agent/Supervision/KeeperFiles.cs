using System.Text.Json;
using System.Text.Json.Serialization;
using Decant.Agent.Instances;

namespace Decant.Agent.Supervision;

/// <summary>What the agent tells a keeper on its standard input: never in argv, never in a file, for it has secrets.</summary>
internal sealed record KeeperOrder
{
    /// <summary>The release's script.</summary>
    public required string Script { get; init; }

    /// <summary>All of the release's environment.</summary>
    public required Dictionary<string, string> Environment { get; init; }

    /// <summary>The slot's directory: working directory of the release; holds the keeper's own files.</summary>
    public required string Directory { get; init; }

    /// <summary>Directory of the logs.</summary>
    public required string LogDirectory { get; init; }

    /// <summary>Size at which the log is rotated, in bytes.</summary>
    public required long LogBytes { get; init; }

    /// <summary>Log files that are kept, the current one included.</summary>
    public required int LogFiles { get; init; }

    /// <summary>Version of the release.</summary>
    public required string Version { get; init; }

    /// <summary>Digest of the release.</summary>
    public required string Digest { get; init; }

    /// <summary>How it runs in its slot.</summary>
    public required KeptSlot Slot { get; init; }
}

/// <summary>How a release runs in its slot: enough to know it again without the agent's database, and nothing that is secret.</summary>
internal sealed record KeptSlot
{
    /// <summary>TCP port.</summary>
    public required int Port { get; init; }

    /// <summary>Erlang node name.</summary>
    public required string Node { get; init; }

    /// <summary>False: no Erlang distribution.</summary>
    public required bool Distribution { get; init; }

    /// <summary>Names of the manifest's variables; the process has their values.</summary>
    public required IReadOnlyList<string> Variables { get; init; }

    /// <summary>What is written down of a slot's settings.</summary>
    public static KeptSlot Of(SlotSpec spec) => new()
    {
        Port = spec.Port,
        Node = spec.Node.ToString(),
        Distribution = spec.Distribution,
        Variables = [.. spec.Environment.Keys],
    };
}

/// <summary>What runs in a slot; written by the keeper when it has started it.</summary>
internal sealed record KeptInstance
{
    /// <summary>The release's process.</summary>
    public required int Pid { get; init; }

    /// <summary>Its start time in clock ticks.</summary>
    public required long StartTicks { get; init; }

    /// <summary>The keeper's process.</summary>
    public required int KeeperPid { get; init; }

    /// <summary>The keeper's start time in clock ticks.</summary>
    public required long KeeperStartTicks { get; init; }

    /// <summary>The boot that both belong to.</summary>
    public required string BootId { get; init; }

    /// <summary>Version of the release.</summary>
    public required string Version { get; init; }

    /// <summary>Digest of the release.</summary>
    public required string Digest { get; init; }

    /// <summary>When it was started.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>How; null in the file of a keeper that did not write it yet.</summary>
    public KeptSlot? Slot { get; init; }
}

/// <summary>How what ran in a slot ended; written by the keeper.</summary>
internal sealed record KeptExit
{
    /// <summary>The release's process.</summary>
    public required int Pid { get; init; }

    /// <summary>Its start time in clock ticks.</summary>
    public required long StartTicks { get; init; }

    /// <summary>128 + signal when a signal ended it.</summary>
    public required int ExitCode { get; init; }

    /// <summary>When.</summary>
    public required DateTimeOffset At { get; init; }
}

/// <summary>What a keeper answers: what it started, or why it could not.</summary>
internal sealed record KeeperAnswer
{
    /// <summary>Null when it could not.</summary>
    public KeptInstance? Started { get; init; }

    /// <summary>Why it could not.</summary>
    public string? Problem { get; init; }
}

/// <summary>The keeper's files in a slot's directory.</summary>
internal static class KeeperFiles
{
    /// <summary>What runs.</summary>
    public static string Instance(string slotDirectory) => Path.Combine(slotDirectory, "instance.json");

    /// <summary>How it ended.</summary>
    public static string Exit(string slotDirectory) => Path.Combine(slotDirectory, "exit.json");

    /// <summary>Writes a file as a whole or not at all.</summary>
    public static void Write(string path, byte[] content)
    {
        var draft = $"{path}.new";
        using (var file = new FileStream(draft, FileMode.Create, FileAccess.Write))
        {
            file.Write(content);
            file.Flush(flushToDisk: true);
        }

        File.Move(draft, path, overwrite: true);
    }

    /// <summary>What runs in the slot, as its keeper wrote it; null when nothing was ever started, or the file is damaged.</summary>
    public static KeptInstance? ReadInstance(string slotDirectory) => Read(Instance(slotDirectory), KeeperJson.Default.KeptInstance);

    /// <summary>How it ended; null when it runs, or nobody wrote it.</summary>
    public static KeptExit? ReadExit(string slotDirectory) => Read(Exit(slotDirectory), KeeperJson.Default.KeptExit);

    private static T? Read<T>(string path, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), type);
        }
        catch (Exception exception) when (exception is IOException or JsonException)
        {
            return null;
        }
    }
}

/// <summary>Source-generated JSON of the keeper.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(KeeperOrder))]
[JsonSerializable(typeof(KeptInstance))]
[JsonSerializable(typeof(KeptExit))]
[JsonSerializable(typeof(KeeperAnswer))]
internal sealed partial class KeeperJson : JsonSerializerContext;
