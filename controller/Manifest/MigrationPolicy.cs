using Decant.Controller.Fleet;

namespace Decant.Controller.Manifest;

/// <summary>What is run once from the new release, before any instance is touched.</summary>
/// <param name="Expression">Elixir expression for <c>bin/app eval</c>.</param>
/// <param name="Host">The host that runs it: the first one unless the manifest names another.</param>
/// <param name="Timeout">Deadline.</param>
public sealed record MigrationPolicy(string Expression, HostName Host, TimeSpan Timeout);
