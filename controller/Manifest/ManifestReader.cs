using System.Text;
using Decant.Names;

namespace Decant.Controller.Manifest;

/// <summary>Reads <c>decant.yml</c>: a valid <see cref="DeploymentManifest"/>, or everything that is wrong with it.</summary>
public static class ManifestReader
{
    /// <summary>The largest manifest, in bytes of the file or characters of the text.</summary>
    public const int MaxSize = 1024 * 1024;

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Reads the text of a manifest. Whatever the text, the answer is a value.</summary>
    public static ManifestResult Read(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Length > MaxSize) return TooLarge(text.Length);

        var problems = new ManifestProblems();
        var document = ManifestDocument.Read(text, problems);
        var manifest = document switch
        {
            ManifestNode.Mapping top => ReadTop(new ManifestSection(top, "", ManifestKeys.Top, problems)),
            null or ManifestNode.Scalar { IsNull: true } when !problems.Any => Refuse("is empty", "`decant init` writes a manifest to begin with"),
            null or ManifestNode.Refused => null,
            _ => Refuse("is not made of keys and values", "begin with app: name; `decant init` writes a manifest to begin with"),
        };
        return problems.Any || manifest is null ? new ManifestResult.Invalid(problems.InOrder()) : new ManifestResult.Valid(manifest);

        DeploymentManifest? Refuse(string reason, string suggestion)
        {
            problems.Add(document?.Place ?? new Place(1, 1), "", reason, suggestion);
            return null;
        }
    }

    /// <summary>Reads a manifest's file. A file that is not there or cannot be read is an error like the others.</summary>
    public static async Task<ManifestResult> ReadFileAsync(string path, CancellationToken cancellation)
    {
        try
        {
            var size = new FileInfo(path).Length;
            return size > MaxSize ? TooLarge(size) : Read(StrictUtf8.GetString(await File.ReadAllBytesAsync(path, cancellation)));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return WholeFile("does not exist", "`decant init` writes a manifest; --manifest names another file");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return WholeFile($"cannot be read: {e.Message}", "see to its permissions");
        }
        catch (DecoderFallbackException)
        {
            return WholeFile("is not UTF-8 text", "save it as UTF-8; is it the right file?");
        }
    }

    private static ManifestResult.Invalid TooLarge(long size)
        => WholeFile($"has {size} bytes", $"a manifest has at most {MaxSize}; is it the right file?");

    private static ManifestResult.Invalid WholeFile(string reason, string suggestion) => new([new ManifestError(0, 0, "", reason, suggestion)]);

    private static DeploymentManifest? ReadTop(ManifestSection top)
    {
        var app = top.Parsed<AppName>("app", AppName.TryParse);
        if (!top.Has("app")) top.Refuse("app", "is missing", "write app: and the name that mix.exs gives the release");

        var slots = SlotSection.ReadDefaults(top);
        var hosts = HostsSection.Read(top, slots);
        var balancers = BalancersSection.Read(top, app, hosts);
        var strategyPart = top.Part("strategy", ManifestKeys.Strategy);
        var strategy = StrategySection.Read(strategyPart, hosts);
        hosts = StrategySection.Order(strategyPart, hosts);
        var health = HealthSection.Read(top.Part("health", ManifestKeys.Health), hosts, strategy);
        var migrations = MigrationsSection.Read(top.Part("migrations", ManifestKeys.Migrations), hosts);
        var keep = top.Part("releases", ManifestKeys.Releases)?.Whole("keep", ManifestDefaults.KeepReleases) ?? ManifestDefaults.KeepReleases.Default;

        return app is null || hosts.Count == 0 ? null : new DeploymentManifest(app, hosts, balancers, health, migrations, strategy, keep);
    }
}
