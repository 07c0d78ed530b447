using System.CommandLine;
using Decant.Controller.Console;
using Decant.Controller.Execution;
using Decant.Controller.Manifest;
using Decant.V1;
using Spectre.Console;

namespace Decant.Controller.Commands;

/// <summary><c>decant releases</c>: the releases on the hosts.</summary>
internal static class ReleasesCommand
{
    public static Command Create(CommandSession session)
    {
        var command = new OperatorCommand("releases", "Show the releases on the hosts", "decant releases");
        command.SetAction((parsed, cancellation) => session.WithManifestAsync(parsed, used => RunAsync(session, parsed, used.Manifest, cancellation), cancellation));
        return command;
    }

    private static async Task<ExitCode> RunAsync(
        CommandSession session, ParseResult parsed, DeploymentManifest manifest, CancellationToken cancellation)
    {
        var answers = await session.AskHostsAsync(manifest, cancellation);
        var table = new Table().Border(TableBorder.None).AddColumns("HOST", "RELEASE", "ERTS", "SIZE", "STAGED", "USE");
        foreach (var (host, status, _) in answers)
        {
            foreach (var release in status?.Releases ?? [])
            {
                var use = Use(release);
                if (CommandSession.IsJson(parsed))
                {
                    session.Terminal.Json(writer =>
                    {
                        writer.WriteString("host", host.Name.Value);
                        writer.WriteString("version", release.Release_.Version);
                        writer.WriteString("digest", release.Release_.Digest);
                        writer.WriteString("erts_version", release.ErtsVersion);
                        writer.WriteBoolean("includes_erts", release.IncludesErts);
                        writer.WriteNumber("unpacked_bytes", release.UnpackedBytes);
                        writer.WriteString("staged_at", release.StagedAt.ToDateTimeOffset());
                        writer.WriteBoolean("known_good", release.KnownGood);
                        writer.WriteBoolean("last_good", release.LastGood);
                        writer.WriteStartArray("slots");
                        foreach (var slot in release.Slots) writer.WriteStringValue(slot);
                        writer.WriteEndArray();
                    });
                    continue;
                }

                string[] cells =
                [
                    host.Name.Value, Shown.Release(release.Release_), release.IncludesErts ? release.ErtsVersion : $"{release.ErtsVersion} (of the host)",
                    Shown.Bytes(release.UnpackedBytes), $"{release.StagedAt.ToDateTimeOffset():u}", use,
                ];
                table.AddRow([.. cells.Select(Markup.Escape)]);
            }
        }

        if (!CommandSession.IsJson(parsed)) session.Terminal.Output.Write(table);
        return session.Report(answers.Select(a => a.Error));
    }

    private static string Use(Release release)
    {
        var words = new List<string>();
        if (release.Slots.Count > 0) words.Add($"in {string.Join(", ", release.Slots)}");
        if (release.LastGood) words.Add("last good");
        else if (release.KnownGood) words.Add("known good");
        return words.Count == 0 ? "-" : string.Join("; ", words);
    }
}
