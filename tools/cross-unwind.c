/* What gwha is linked with beside musl.
 *
 * First, the unwinder of a program that never unwinds.
 *
 * The standard library of a static musl target links -lunwind. gwha is built
 * with panic=abort, so only the backtrace functions are ever called, and a
 * stripped program has no backtrace to show: the panic message and its place
 * in the source are printed without any of this.
 *
 * The second half exists so that test programs (built with panic=unwind) link:
 * there a panic prints its message and then aborts the whole run.
 */
enum { END_OF_STACK = 5, FAILURE = 9 };
typedef unsigned long word;

int _Unwind_Backtrace(void *trace, void *arg) { (void)trace; (void)arg; return END_OF_STACK; }
word _Unwind_GetIP(void *context) { (void)context; return 0; }
word _Unwind_GetIPInfo(void *context, int *before) { (void)context; if (before) *before = 0; return 0; }
word _Unwind_GetCFA(void *context) { (void)context; return 0; }
void *_Unwind_FindEnclosingFunction(void *address) { return address; }

int _Unwind_RaiseException(void *exception) { (void)exception; return END_OF_STACK; }
void _Unwind_DeleteException(void *exception) { (void)exception; }
void _Unwind_Resume(void *exception) { (void)exception; __builtin_trap(); }
void *_Unwind_GetLanguageSpecificData(void *context) { (void)context; return 0; }
word _Unwind_GetRegionStart(void *context) { (void)context; return 0; }
word _Unwind_GetTextRelBase(void *context) { (void)context; return 0; }
word _Unwind_GetDataRelBase(void *context) { (void)context; return 0; }
word _Unwind_GetGR(void *context, int reg) { (void)context; (void)reg; return 0; }
void _Unwind_SetGR(void *context, int reg, word value) { (void)context; (void)reg; (void)value; }
void _Unwind_SetIP(void *context, word value) { (void)context; (void)value; }

/* Last, a thread's name. Only a thread itself sets it, at its start; musl, which
 * can set that of others too, has to print a path for it, and printf is 9 KB.
 */
int prctl(int, ...);
int pthread_setname_np(word thread, const char *name)
{
	(void)thread;
	prctl(15 /* PR_SET_NAME */, (word)name, 0ul, 0ul, 0ul);
	return 0;
}

/* 32-bit ARM has an unwinding scheme of its own. */
int _Unwind_VRS_Get(void *context, int set, unsigned reg, int type, void *value)
{
	(void)context; (void)set; (void)reg; (void)type;
	*(unsigned *)value = 0;
	return 0;
}
int _Unwind_VRS_Set(void *context, int set, unsigned reg, int type, void *value)
{
	(void)context; (void)set; (void)reg; (void)type; (void)value;
	return 0;
}
int __aeabi_unwind_cpp_pr0(void) { return FAILURE; }
int __aeabi_unwind_cpp_pr1(void) { return FAILURE; }
int __gnu_unwind_frame(void *exception, void *context) { (void)exception; (void)context; return FAILURE; }
