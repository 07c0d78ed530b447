using System.CommandLine.Completions;
using Decant.Controller.Manifest;
using LiteDB;

namespace Decant.Controller.Commands;

/// <summary>
/// What the shell offers for an argument (packaging/completions). Read from this machine, never asked of the fleet: a key press must not wait.
/// Where it cannot be read nothing is offered.
/// </summary>
internal static class Completions
{
    private const int MostDeployments = 20;

    /// <summary>The newest deployments that this machine knows.</summary>
    public static IEnumerable<CompletionItem> Deployments(CompletionContext context)
    {
        try
        {
            return [.. CommandSession.Journal().List(null, MostDeployments).Select(record => new CompletionItem(record.Id.Value))];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or LiteException)
        {
            return [];
        }
    }

    /// <summary>The hosts of the manifest.</summary>
    public static IEnumerable<CompletionItem> Hosts(CompletionContext context)
    {
        try
        {
            return ManifestReader.Read(File.ReadAllText(context.ParseResult.GetValue(CommonOptions.Manifest) ?? "")) is ManifestResult.Valid valid
                ? [.. valid.Manifest.Hosts.Select(host => new CompletionItem(host.Name.Value))]
                : [];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return [];
        }
    }
}
