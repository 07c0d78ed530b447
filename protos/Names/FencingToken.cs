using System.Diagnostics.CodeAnalysis;

namespace Decant.Names;

/// <summary>The number of a lease; an agent gives each lease a higher one than all before, so that calls of a former holder are told by it.</summary>
public sealed record FencingToken
{
    private FencingToken(long value) => Value = value;

    /// <summary>At least 1.</summary>
    public long Value { get; }

    /// <summary>The one after it.</summary>
    public FencingToken Next => new(Value + 1);

    /// <summary>
    /// Where an agent begins that knows of no lease: at the milliseconds since 1970. If it has lost its database, this is higher than all that it
    /// gave before, for it gives far fewer than one in a millisecond.
    /// </summary>
    public static FencingToken FirstAt(DateTimeOffset wall) => new(Math.Max(1, wall.ToUnixTimeMilliseconds()));

    /// <summary>Reads a token from the contract or a database; false: no agent gives such a one.</summary>
    public static bool TryRead(ulong value, [NotNullWhen(true)] out FencingToken? token)
    {
        token = value is > 0 and < long.MaxValue ? new FencingToken((long)value) : null;
        return token is not null;
    }

    /// <summary>Reads a token that was stored.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static FencingToken Parse(long value)
        => TryRead((ulong)value, out var token) ? token : throw new FormatException($"{value} is no fencing token");

    /// <summary>As the contract has it.</summary>
    public ulong ToWire() => (ulong)Value;

    /// <inheritdoc/>
    public override string ToString() => $"{Value}";
}
