using System.Diagnostics.CodeAnalysis;
using Decant.Errors;

namespace Decant.Agent.Elixir;

/// <summary>
/// An Erlang node name with its host: <c>shop@127.0.0.1</c>. A host with a dot or a colon makes it a long name, which the release
/// needs to be told (<c>RELEASE_DISTRIBUTION=name</c>): with the default, <c>sname</c>, the VM refuses it and exits.
/// </summary>
internal sealed record NodeName
{
    private NodeName(string name, string host)
    {
        Name = name;
        Host = host;
    }

    /// <summary>Before the '@'.</summary>
    public string Name { get; }

    /// <summary>Behind the '@'.</summary>
    public string Host { get; }

    /// <summary>A fully qualified name: <c>RELEASE_DISTRIBUTION=name</c>.</summary>
    public bool IsLong => Host.Contains('.', StringComparison.Ordinal) || Host.Contains(':', StringComparison.Ordinal);

    /// <summary>The value of <c>RELEASE_DISTRIBUTION</c>.</summary>
    public string Distribution => IsLong ? "name" : "sname";

    /// <summary>Reads a node name; <paramref name="reason"/> says in a sentence why it is not one.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out NodeName? value, [NotNullWhen(false)] out string? reason)
    {
        value = null;
        var parts = (text ?? "").Split('@');
        reason = parts.Length != 2 || parts[0].Length == 0 || parts[1].Length == 0
                ? $"node \"{Printable.Line(text ?? "")}\" is not of the form name@host"
            : text!.Length > 255 ? "node name is longer than 255 characters"
            : !parts[0].All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-')
                ? $"node \"{Printable.Line(text)}\": the part before '@' may have letters, digits, '_' and '-' only"
            : !parts[1].All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or ':' or '_')
                ? $"node \"{Printable.Line(text)}\": the part behind '@' is not a host name or an address"
            : null;
        if (reason is null) value = new NodeName(parts[0], parts[1]);
        return reason is null;
    }

    /// <summary>Reads a node name.</summary>
    /// <exception cref="FormatException">The text is not one; the message says why.</exception>
    public static NodeName Parse(string? text) => TryParse(text, out var value, out var reason) ? value : throw new FormatException(reason);

    /// <inheritdoc/>
    public override string ToString() => $"{Name}@{Host}";
}
