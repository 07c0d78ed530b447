using System.Text;

namespace Decant.Fuzzing.Engine;

/// <summary>
/// Something that takes bytes from others, and what it promises whatever they are: <see cref="Run"/> throws for a broken promise. Beyond
/// what a target says itself, none may take longer than <see cref="Deadline"/>, allocate more than <see cref="MayAllocate"/>, or end the
/// process.
/// </summary>
internal abstract class FuzzTarget
{
    /// <summary>Of its corpus, its findings, and in its test's name.</summary>
    public string Name => GetType().Name;

    /// <summary>CPU time for one input.</summary>
    public virtual TimeSpan Deadline => TimeSpan.FromSeconds(2);

    /// <summary>Bytes of the largest input.</summary>
    public virtual int Largest => 64 << 10;

    /// <summary>Inputs to begin with, besides those of the corpus.</summary>
    public abstract IEnumerable<byte[]> Seeds { get; }

    /// <summary>What may mean something where it stands.</summary>
    public virtual IReadOnlyList<byte[]> Words => [];

    /// <summary>Bytes that an input of a length may make it allocate in all, freed ones included.</summary>
    public virtual long MayAllocate(int length) => (1 << 20) + (500L * length);

    /// <summary>Begins a run of many inputs.</summary>
    public virtual void Open()
    {
    }

    /// <summary>Ends it.</summary>
    public virtual void Close()
    {
    }

    /// <summary>Gives it an input.</summary>
    /// <returns>In a few words what came of it: of the same words there are only so many.</returns>
    public abstract string Run(byte[] input);

    /// <summary>Another input out of one; <paramref name="mutation"/> knows how to do it when nothing is known of its form.</summary>
    public virtual byte[] Mutate(byte[] input, Mutation mutation) => mutation.Bytes(input, Words, Largest);

    /// <summary>Makes right what must be right for anything else to be looked at: checksums.</summary>
    public virtual byte[] Repair(byte[] input) => input;

    /// <summary>Texts as the bytes that they are.</summary>
    protected static IReadOnlyList<byte[]> Bytes(params string[] texts) => [.. texts.Select(Encoding.UTF8.GetBytes)];

    /// <summary>Throws when a promise is broken.</summary>
    protected static void Promise(bool kept, string what)
    {
        if (!kept) throw new BrokenPromiseException(what);
    }

    /// <summary>What is shown to people, in a terminal or a log: nothing in it that steers either, and an end.</summary>
    protected static void Readable(string text, int longest = 4000)
    {
        Promise(text.Length <= longest, $"a message is too long: {text.Length} characters");
        var bad = text.FirstOrDefault(c => char.IsControl(c) && c is not ('\n' or '\t'));
        Promise(bad == default, $"a message has a control character: U+{(int)bad:X4}");
    }
}

/// <summary>A target does not do what it promises.</summary>
internal sealed class BrokenPromiseException(string message) : Exception(message);
