using System.Globalization;
using System.Text.Json;
using Decant.Controller.Execution;
using Decant.V1;

namespace Decant.Controller.Console;

/// <summary>Values as people read them.</summary>
internal static class Shown
{
    /// <summary><c>1.4.2 (0a1b2c3d4e5f)</c>.</summary>
    public static string Release(ReleaseRef? release)
        => release is null || release.Version.Length == 0 ? "-"
            : release.Digest.Length >= 12 ? $"{release.Version} ({release.Digest[..12]})" : release.Version;

    /// <summary><c>12.3 MB</c>.</summary>
    public static string Bytes(double bytes)
    {
        string[] units = ["B", "kB", "MB", "GB", "TB"];
        var unit = 0;
        while (bytes >= 1000 && unit < units.Length - 1)
        {
            bytes /= 1000;
            unit++;
        }

        return string.Create(CultureInfo.InvariantCulture, $"{bytes:0.#} {units[unit]}");
    }

    /// <summary><c>350 ms</c>, <c>12.3 s</c>, <c>5 min</c>, <c>3 h</c>, <c>2 d</c>.</summary>
    public static string Time(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{(time switch
    {
        { TotalSeconds: < 1 } => $"{time.TotalMilliseconds:0} ms",
        { TotalSeconds: < 100 } => $"{time.TotalSeconds:0.#} s",
        { TotalMinutes: < 100 } => $"{time.TotalMinutes:0} min",
        { TotalHours: < 48 } => $"{time.TotalHours:0} h",
        _ => $"{time.TotalDays:0} d",
    })}");

    /// <summary><c>1 session</c>, <c>3 sessions</c>.</summary>
    public static string Sessions(long count) => count == 1 ? "1 session" : $"{count} sessions";

    /// <summary>A deployment's status in words: <c>rolled back</c>.</summary>
    public static string Status(DeploymentStatus status) => JsonNamingPolicy.SnakeCaseLower.ConvertName(status.ToString()).Replace('_', ' ');

    /// <summary>A state of the contract as a word: <c>BACKING_OFF</c> becomes <c>backing off</c>.</summary>
    public static string State(InstanceState state) => state switch
    {
        InstanceState.Stopped => "stopped",
        InstanceState.Starting => "starting",
        InstanceState.Running => "running",
        InstanceState.Unhealthy => "unhealthy",
        InstanceState.Stopping => "stopping",
        InstanceState.BackingOff => "backing off",
        _ => "unknown",
    };

    /// <summary>What an operation does, as a verb: <c>await healthy</c>.</summary>
    public static string Kind(OperationKind kind) => JsonNamingPolicy.SnakeCaseLower.ConvertName(kind.ToString()).Replace('_', ' ');

    /// <summary>A member's state as a word.</summary>
    public static string State(MemberState state) => state switch
    {
        MemberState.Ready => "up",
        MemberState.Draining => "draining",
        MemberState.Maintenance => "maintenance",
        MemberState.Down => "down",
        _ => "unknown",
    };
}
