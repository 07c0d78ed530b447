using System.Text.Json.Serialization;

namespace Decant.Agent.Supervision;

/// <summary>What the agent tells the process of a unit to run: over a socket for a command, in a file for a slot. Never in argv.</summary>
internal sealed record UnitOrder
{
    /// <summary>The release's script.</summary>
    public required string Program { get; init; }

    /// <summary>Its arguments.</summary>
    public required IReadOnlyList<string> Arguments { get; init; }

    /// <summary>All of its environment but for the app's secrets, which its unit has and which win.</summary>
    public required Dictionary<string, string> Environment { get; init; }

    /// <summary>Working directory; made when it is not there yet, with what else a slot has.</summary>
    public required string Directory { get; init; }

    /// <summary>Directories that are made beside it.</summary>
    public required IReadOnlyList<string> Made { get; init; }

    /// <summary>It takes what processor time is left.</summary>
    public required bool LowPriority { get; init; }
}

/// <summary>Source-generated JSON of orders.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(UnitOrder))]
internal sealed partial class UnitJson : JsonSerializerContext;
