using SharpFuzz;

namespace Decant.Fuzzing.Engine;

/// <summary>Makes assemblies count their branches; run by the build on this project's own copies of them.</summary>
internal static class Instrumentation
{
    private static int Main(string[] assemblies)
    {
        // Code that is generated for messages would take most of the map's places.
        foreach (var assembly in assemblies)
        {
            try
            {
                SharpFuzz.Fuzzer.Instrument(assembly, type => !type.StartsWith("Decant.V1.", StringComparison.Ordinal), Options.Value);
            }
            catch (InstrumentationException exception) when (exception.Message.Contains("already instrumented", StringComparison.Ordinal))
            {
                // The copy is that of the last build.
            }
        }

        return 0;
    }
}
