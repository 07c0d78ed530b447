using System.Diagnostics.CodeAnalysis;

namespace Decant.Names;

/// <summary>
/// A role as a certificate has it and agent.yml grants it: <c>observer</c> (reads everything), <c>deployer:APP</c> (and changes that app),
/// <c>admin</c> (and does everything else). See security.proto.
/// </summary>
public abstract record RoleName
{
    private const string UrnPrefix = "urn:decant:role:";
    private const string DeployerPrefix = "deployer:";

    private RoleName()
    {
    }

    /// <summary>As people write it: <c>deployer:shop</c>.</summary>
    public abstract string Value { get; }

    /// <summary>As certificates have it, as a URI among the subject alternative names.</summary>
    public string Urn => UrnPrefix + Value;

    /// <summary>Reads a role as people write it; <paramref name="reason"/> says in a sentence why it is none.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out RoleName? value, [NotNullWhen(false)] out string? reason)
    {
        value = null;
        reason = null;
        if (text is "observer")
        {
            value = new Observer();
        }
        else if (text is "admin")
        {
            value = new Admin();
        }
        else if (text?.StartsWith(DeployerPrefix, StringComparison.Ordinal) is true)
        {
            if (AppName.TryParse(text[DeployerPrefix.Length..], out var app, out reason)) value = new Deployer(app);
        }
        else
        {
            reason = text is "deployer"
                ? "a deployer is one of an app: write deployer:APP"
                : $"\"{text}\" is not a role; known: observer, deployer:APP, admin";
        }

        return value is not null;
    }

    /// <summary>Reads a role out of a URI of a certificate; null when it is none.</summary>
    public static RoleName? OfUrn(string uri)
    {
        ArgumentNullException.ThrowIfNull(uri);
        return uri.StartsWith(UrnPrefix, StringComparison.Ordinal) && TryParse(uri[UrnPrefix.Length..], out var role, out _) ? role : null;
    }

    /// <inheritdoc/>
    public sealed override string ToString() => Value;

    /// <summary>Reads everything.</summary>
    public sealed record Observer : RoleName
    {
        /// <inheritdoc/>
        public override string Value => "observer";
    }

    /// <summary>Changes one app.</summary>
    /// <param name="App">The app.</param>
    public sealed record Deployer(AppName App) : RoleName
    {
        /// <inheritdoc/>
        public override string Value => DeployerPrefix + App;
    }

    /// <summary>Does everything.</summary>
    public sealed record Admin : RoleName
    {
        /// <inheritdoc/>
        public override string Value => "admin";
    }
}
