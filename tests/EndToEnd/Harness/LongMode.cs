namespace Decant.EndToEnd.Harness;

/// <summary>What takes minutes is done when <c>DECANT_TEST_LONG=1</c>; a sample of it always.</summary>
internal static class LongMode
{
    /// <summary>Whether it is.</summary>
    public static bool IsOn => Environment.GetEnvironmentVariable("DECANT_TEST_LONG") == "1";

    /// <summary>All of the cases, or the sample.</summary>
    public static IEnumerable<T> Cases<T>(IEnumerable<T> sample, IEnumerable<T> others) => IsOn ? sample.Concat(others) : sample;
}
