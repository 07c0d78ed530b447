using System.CommandLine;
using Decant.Controller.Execution;
using Decant.Controller.Manifest;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Controller.Commands;

/// <summary><c>decant init</c>: a commented manifest to begin with, and its JSON schema for editors.</summary>
internal static class InitCommand
{
    private static readonly Argument<string?> App = new("app")
    {
        Description = "Name of the app, as its release script bin/APP; the name of this directory when left out",
        Arity = ArgumentArity.ZeroOrOne,
    };

    public static Command Create(CommandSession session)
    {
        var command = new OperatorCommand("init", "Write a commented decant.yml and its JSON schema", "decant init shop") { App };
        command.SetAction((parsed, cancellation) => session.RunAsync(() => RunAsync(session, parsed, cancellation), cancellation));
        return command;
    }

    private static async Task<ExitCode> RunAsync(CommandSession session, ParseResult parsed, CancellationToken cancellation)
    {
        var manifest = Path.GetFullPath(parsed.GetRequiredValue(CommonOptions.Manifest));
        var text = parsed.GetValue(App) ?? Path.GetFileName(Path.GetDirectoryName(manifest));
        if (!AppName.TryParse(text, out var app, out var reason))
            throw new OperatorException(new OperatorError(StatusCode.InvalidArgument, "BAD_NAME", reason, "name the app: decant init shop"));
        if (File.Exists(manifest))
        {
            throw new OperatorException(new OperatorError(
                StatusCode.InvalidArgument, "MANIFEST_EXISTS", $"{manifest} is there already", "edit it, or name another file with --manifest"));
        }

        var schema = Path.Combine(Path.GetDirectoryName(manifest)!, ManifestSchema.FileName);
        await File.WriteAllTextAsync(manifest, ManifestTemplate.For(app), cancellation);
        await File.WriteAllTextAsync(schema, ManifestSchema.Text, cancellation);
        if (CommandSession.IsJson(parsed))
        {
            session.Terminal.Json(writer =>
            {
                writer.WriteString("manifest", manifest);
                writer.WriteString("schema", schema);
            });
            return ExitCode.Success;
        }

        session.Terminal.Line($"wrote {manifest} and {schema}");
        session.Terminal.Line("fill in the hosts, then look at what would happen: decant plan _build/prod/APP-VERSION.tar.gz");
        return ExitCode.Success;
    }
}
