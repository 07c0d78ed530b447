using Decant.Controller.Fleet;

namespace Decant.Controller.Manifest;

/// <summary>What is run once from the new release, before any instance is touched.</summary>
/// <param name="Expression">Elixir expression for <c>bin/app eval</c>.</param>
/// <param name="Host">The host that runs it: the first one unless the manifest names another.</param>
/// <param name="Timeout">Deadline, of either.</param>
/// <param name="Down">Elixir expression that undoes it, run by a rollback only when that is asked for; null: there is none.</param>
public sealed record MigrationPolicy(string Expression, HostName Host, TimeSpan Timeout, string? Down = null);
